"""`wandb sweep` and `wandb agent`, W&B's own client, against a server that stands in for theirs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pipeline.jobs import ROOT, SMALLEST, compose_job
from pipeline.wandb_server import ENTITY, wandb_server
from sweep_file import FOLDER, sweep_file
from wandb_files import WANDB

POINTS = ("block1_pool", "block3_pool", "block5_pool")
SAID = ("logger=wandb", "logger.mode=online", "trainer.threads=1")


@pytest.fixture
def server():
    with wandb_server() as server:
        yield server


def environment(server, root):
    """Of a client that knows this server alone and keeps its files below ``root``."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # agents start `python`
    mine = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    places = {"WANDB_DIR": str(root), "WANDB_DATA_DIR": str(root), "WANDB_CACHE_DIR": str(root)}
    return mine | server.environment | places | {"PATH": path, "OMP_NUM_THREADS": "1"}


def start(command, server, root):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([WANDB, *command], env=environment(server, root), cwd=ROOT, **pipes)


def sweep_of(server, root, *words, **instead):
    """The id that `wandb sweep` gives to a file of these words."""
    document = sweep_file(words, lambda overrides: compose_job(root, *overrides)) | instead
    path = root / "sweep.yaml"
    path.write_text(yaml.safe_dump(document))
    output, _ = start(["sweep", str(path)], server, root).communicate(timeout=60)
    return re.search(r"wandb agent (\S+)", output)[1]


def run_agents(server, sweep_id, root):
    """What two agents at once say, until both have been told that there is nothing left."""
    agents = [start(["agent", sweep_id], server, root) for _ in range(2)]
    return [agent.communicate(timeout=600)[0] for agent in agents]


def test_two_agents_start_every_job_once_with_the_words_of_the_multirun(server, tmp_path):
    """Their program is one that writes down how it was called."""
    program = tmp_path / "train.py"
    program.write_text(
        "import os, pathlib, sys\n"
        "name = os.environ['WANDB_RUN_ID']\n"
        "pathlib.Path(__file__).with_name(name + '.called').write_text('\\n'.join(sys.argv[1:]))\n"
    )
    words = ("trainer=smoke", f"split.layer={','.join(POINTS)}")
    sweep_id = sweep_of(server, tmp_path, *words, program=str(program))
    outputs = run_agents(server, sweep_id, tmp_path)
    calls = sorted(path.read_text().splitlines() for path in tmp_path.glob("*.called"))
    expected = [[FOLDER, "trainer=smoke", f"split.layer={point}"] for point in sorted(POINTS)]
    assert calls == expected, outputs
    assert server.sweeps["sweep0"].state == "FINISHED"


@pytest.mark.slow
def test_two_agents_run_every_point_once_on_one_baseline(server, tmp_path):
    words = [word for word in SMALLEST if not word.startswith(("split.layer", "logger"))]
    where = [f"paths.root={tmp_path}", f"paths.data={tmp_path}"]
    points = f"split.layer={','.join(POINTS)}"
    sweep_id = sweep_of(server, tmp_path, *words, *SAID, *where, points)
    assert sweep_id == f"{ENTITY}/isplit/sweep0"
    outputs = run_agents(server, sweep_id, tmp_path)
    sweep = server.sweeps["sweep0"]
    assert sweep.state == "FINISHED", outputs
    assert set(sweep.agents.values()) == {"agent0", "agent1"}
    asked = {name: run.config["split.layer"]["value"] for name, run in sweep.runs.items()}
    assert sorted(asked.values()) == sorted(POINTS)
    assert set(server.runs) == set(asked)
    results = {name: tmp_path / "sweeps" / "sweep0" / name / "result.json" for name in asked}
    baselines = [json.loads(file.read_text())["stages"]["baseline"] for file in results.values()]
    assert sorted(stage["reused"] for stage in baselines) == [False, True, True], outputs
    for name, run in server.runs.items():
        result = json.loads(results[name].read_text())
        assert run.exit_code == 0
        assert run.about["sweep"] == "sweep0"
        assert run.about["groupName"] == "vgg16-letters"
        assert run.summary["split/label"] == asked[name]
        assert run.summary["curve/cui_rank"] == result["curve"]["rank"]
        assert run.summary["accuracy/after_finetune"] == result["accuracy"]["after_finetune"]
        assert run.summary["cost/payload_bytes"] == result["cost"]["payload_bytes"]
