"""A job's W&B run: offline and read back, brought up later, resumed after a crash."""

import json
import os
import signal
import subprocess
import time

import pytest
from pipeline.jobs import compose_job, start_job
from pipeline.wandb_server import wandb_server
from wandb_files import WANDB, read_run, teardown

from isplit import runs
from isplit.job import job_id
from isplit.tracking import wandb_run
from isplit.tracking.results import log_summary

PATIENCE = 300  # seconds; a busy machine needs a minute to import torch


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A finished job, tracked offline: its config, its result and its folder."""
    root = tmp_path_factory.mktemp("root")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        teardown()
        cfg = compose_job(root, "logger=wandb", "logger.mode=offline")
        runs.train(cfg)
    return cfg, json.loads((root / "job" / "result.json").read_text()), root / "job"


@pytest.fixture
def server(monkeypatch, tmp_path):
    """W&B's server stands in here, and this process sees no other."""
    with wandb_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        for name in ("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR"):
            monkeypatch.setenv(name, str(tmp_path))
        teardown()
        yield server
        teardown()


def assert_is_result(summary, result):
    for section in ("accuracy", "cost"):
        for name, value in result[section].items():
            assert summary.get(f"{section}/{name}") == pytest.approx(value)  # null: not told
    assert summary["split/layer"] == result["split"]["layer"]
    assert summary["split/index"] == result["split"]["index"]
    assert summary["curve/cui"] == pytest.approx(result["curve"]["value"])
    assert summary["curve/cui_rank"] == result["curve"]["rank"]


def test_a_job_offline_is_read_back_whole(job):
    cfg, result, folder = job
    run = read_run(folder)
    assert (run.about["run_id"], run.exit_code) == (job_id(cfg), 0)
    assert run.config["split/layer"] == "block3_pool"
    assert run.config["stage/baseline/epochs"] == 2
    assert_is_result(run.summary, result)
    for stage, epochs in (("baseline", 2), ("finetune", 1)):
        accuracies = [row for row in run.history if f"{stage}/val_accuracy" in row]
        assert len(accuracies) == 1 + epochs  # the first before any step
    assert len([row for row in run.history if "autoencoder/train_loss" in row]) == 2


def test_a_job_offline_is_brought_up_by_wandb_sync(job, server):
    cfg, result, folder = job
    (place,) = folder.glob("wandb/offline-run-*")
    subprocess.run([WANDB, "sync", str(place)], check=True, capture_output=True, timeout=60)
    run = server.runs[job_id(cfg)]
    assert_is_result(run.summary, result)
    assert (run.exit_code, run.about["groupName"]) == (0, "vgg16-letters")


def tell(folder, **flat):
    """Tell a run's summary; whether the run was there before."""
    with wandb_run("online", folder, {}, run_id="job") as told:
        log_summary(told, flat)
        if flat.get("power") == 0:
            raise OSError("no power")
        return told[0].experiment.resumed


def test_a_run_that_broke_goes_on_where_it_was(server, tmp_path):
    with pytest.raises(OSError, match="no power"):
        tell(tmp_path, power=0, baseline=0.5)
    assert server.runs["job"].exit_code == 1
    assert tell(tmp_path, power=1)
    (run,) = server.runs.values()
    assert run.exit_code == 0
    assert (run.summary["baseline"], run.summary["power"]) == (0.5, 1)
    assert [row["_step"] for row in run.history] == [0, 1]


def test_a_job_that_was_killed_goes_on_with_its_run(server, monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL", "1")  # seconds, of usually 15
    words = ("logger=wandb", "logger.mode=online", "stage.baseline.epochs=30")
    words += (f"hydra.run.dir={tmp_path / 'job'}",)
    victim = start_job(tmp_path, *words, start_new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE
        while not any(_epochs_told(run) > 2 for run in list(server.runs.values())):
            assert time.monotonic() < deadline, "it told nothing"
            assert victim.poll() is None, victim.communicate()[0]
            time.sleep(0.1)
    finally:
        os.killpg(victim.pid, signal.SIGKILL)  # W&B's service of its own too, as a power cut does
        victim.communicate()
    ((name, run),) = server.runs.items()
    assert run.exit_code is None, "it crashed before it could say so"
    output, _ = start_job(tmp_path, *words).communicate(timeout=PATIENCE)
    assert "goes on after epoch" in output
    assert list(server.runs) == [name]
    assert run.exit_code == 0, output
    assert_is_result(run.summary, json.loads((tmp_path / "job" / "result.json").read_text()))
    steps = [row["_step"] for row in run.history]
    assert steps == sorted(set(steps))
    assert _epochs_told(run) >= 30, "each epoch was told, one that was interrupted perhaps twice"


def _epochs_told(run):
    """Validations of the baseline, that before the first step included."""
    return sum("baseline/val_accuracy" in row for row in list(run.history))
