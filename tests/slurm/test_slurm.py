"""A sweep as an array of a real SLURM on this machine, which kills one task and preempts another.

::

    apt-get install --no-install-recommends slurmctld slurmd slurm-client munge
    python -m pytest -m slow tests/slurm
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pipeline.jobs import ROOT, SMALLEST, start_job
from sweeping import sweep

CLUSTER = Path(__file__).with_name("cluster.sh")
NEEDED = ("slurmctld", "slurmd", "munged", "sbatch", "srun")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"no SLURM here: {', '.join(MISSING)} not found"),
]

PATIENCE = 900  # seconds; a busy machine starts a task in a minute
NAMES = ("00-block1_pool", "01-block3_pool", "02-block5_pool")
SWEEP = ("split.layer=block1_pool,block3_pool,block5_pool", "stage.baseline.epochs=20")
ON_SLURM = (
    "hydra.mode=MULTIRUN",  # -m, wherever it stands
    "hydra/launcher=slurm",
    "hydra.launcher.cpus_per_task=1",
    "hydra.launcher.mem_gb=1",
    "hydra.launcher.array_parallelism=2",
)


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A cluster of one node, for as long as the test runs."""
    folder = tmp_path / "slurm"
    subprocess.run([CLUSTER, "up", folder], check=True, timeout=120)
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    yield
    subprocess.run([CLUSTER, "down", folder], check=True, timeout=120)


def until(condition, what):
    """The first true value of ``condition()``."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited in vain for {what}")


def maker(root, stage):
    """The process that is making a stage, once it has a checkpoint."""
    for checkpoint in root.glob(f"store/{stage}/*.part/last.ckpt"):
        inode = checkpoint.parent.with_suffix(".lock").stat().st_ino
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            _, _, _, _, process, file, *_ = line.split()
            if file.endswith(f":{inode}"):
                return int(process)
    return None


def queue(*arguments):
    words = ["squeue", "--noheader", "--array", *arguments]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()


def states(folder):
    document = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    return {job["name"]: job["state"] for job in document["jobs"]}


def results(folder):
    """The results by folder, without timings, and without which task came first and made what."""
    found = {name: json.loads((folder / name / "result.json").read_text()) for name in NAMES}
    for result in found.values():
        for stage in result["stages"].values():
            del stage["seconds"], stage["reused"]
    return found


def starts(folder):
    """How often each task began."""
    logs = [path.read_text() for path in folder.glob(".submitit/*/*_log.out")]
    return sorted(log.count("Starting with JobEnvironment") for log in logs)


def test_a_task_killed_and_one_preempted_change_nothing_in_the_end(slurm, tmp_path):
    root, first = tmp_path / "root", tmp_path / "root" / "first"
    process = start_job(root, *SWEEP, *ON_SLURM, f"hydra.sweep.dir={first}")
    try:
        victim = until(lambda: maker(root, "baseline"), "a baseline")
        running = queue("--states=RUNNING", "--format=%F")
        assert len(running) == 2, "two tasks at once"
        Path(f"/proc/{victim}/cmdline").read_text().index("submitit")
        subprocess.run(["kill", "-KILL", str(victim)], check=True)

        def another():
            return (pid := maker(root, "baseline")) and pid != victim

        until(another, "the other task to go on with the baseline")
        until(lambda: len(queue("--states=RUNNING", "--format=%F")) == 2, "the third task")
        urgent = ["sbatch", "--partition=urgent", "--output=/dev/null", "--wrap=true"]
        subprocess.run(urgent, check=True, capture_output=True)
        until(lambda: not queue("--format=%i"), "the queue to be empty")
    finally:
        process.send_signal(signal.SIGINT)  # without accounting it waits for the killed task
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert sorted(states(first).values()) == ["done", "done", "not finished"], output
    assert starts(first) == [1, 1, 2], "one was preempted and began again"

    again = tmp_path / "root" / "again"
    process = start_job(root, *SWEEP, *ON_SLURM, f"hydra.sweep.dir={again}")
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert sorted(states(again).values()) == ["done", "done before", "done before"]

    undisturbed = tmp_path / "undisturbed"
    assert sweep(undisturbed, *SWEEP) == 0
    assert results(again) == results(undisturbed / "sweep")
    assert not list(root.glob("store/*/*.part"))
    for stage in ("baseline", "curve"):
        assert len([p for p in root.glob(f"store/{stage}/*") if not p.suffix]) == 1


SCRIPT = """#!/bin/bash
#SBATCH --ntasks-per-node=2 --requeue --open-mode=append --output={log}
srun {python} {root}/train.py {overrides}
if [ $? -eq 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
"""


def test_two_tasks_share_a_training_that_their_script_queues_again(slurm, tmp_path):
    script, log, job = tmp_path / "job.sh", tmp_path / "log", tmp_path / "job"
    where = (f"paths.root={tmp_path}", f"paths.data={tmp_path}/data", f"hydra.run.dir={job}")
    two = ("trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp")
    overrides = " ".join([*SMALLEST, "stage.baseline.epochs=8", *two, *where])
    script.write_text(SCRIPT.format(log=log, python=sys.executable, root=ROOT, overrides=overrides))
    number = subprocess.run(
        ["sbatch", "--parsable", script], check=True, capture_output=True, text=True
    )
    until(lambda: maker(tmp_path, "baseline"), "a baseline")
    subprocess.run(["scancel", "--signal=USR1", number.stdout.strip()], check=True)
    until(lambda: not queue("--format=%i"), "the queue to be empty")
    said = log.read_text(encoding="utf-8")
    assert (job / "result.json").exists(), said
    assert said.count("preempted; the same command goes on") == 1
    assert "baseline: goes on after epoch" in said
    assert said.count("Cut after ") == 1, "one of them speaks"
