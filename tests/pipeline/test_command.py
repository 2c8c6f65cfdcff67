"""``python train.py`` as a process: interrupted, killed, out of disk space."""

import json
import random
import signal
import subprocess
import time

import pytest
import torch
from pipeline.jobs import compose_job, start_job

from isplit.runs import command


def result_without(path, *timings):
    """A result file without these keys of its stages."""
    result = json.loads(path.read_text(encoding="utf-8"))
    for stage in result["stages"].values():
        for key in timings:
            del stage[key]
    return result


def run(root, *overrides, **keys):
    process = start_job(root, *overrides, **keys)
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Result and duration of a job that nothing happens to."""
    root = tmp_path_factory.mktemp("undisturbed")
    begin = time.monotonic()
    code, output = run(root, f"paths.output={root / 'job'}")
    assert code == 0, output
    return root / "job" / "result.json", time.monotonic() - begin


def wait_for(root, pattern):
    """Until a file is there; a job that never writes it fails the test."""
    for _ in range(3000):
        if list(root.glob(pattern)):
            return
        time.sleep(0.1)
    raise AssertionError(f"{pattern} never came")


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(undisturbed, tmp_path):
    process = start_job(tmp_path, f"paths.output={tmp_path / 'job'}", "stage.baseline.epochs=2000")
    wait_for(tmp_path, "store/baseline/*.part/last.ckpt")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in output
    assert "Traceback" not in output
    assert not (tmp_path / "job" / "result.json").exists()


def test_killed_at_a_random_moment_it_ends_with_the_same_result(undisturbed, tmp_path, kill):
    """``kill`` counts from 0 to ``--kills``; the moments fall in equal parts of the job's time."""
    expected, duration = undisturbed
    number, kills = kill
    moment = (number + random.Random(number).random()) / kills * duration
    process = start_job(tmp_path, f"paths.output={tmp_path / 'job'}")
    try:
        process.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    was_through = list(tmp_path.glob("store/jobs/*.json"))  # then it is reused, as it should be
    code, output = run(tmp_path, f"paths.output={tmp_path / 'job'}")
    assert code == 0, output
    ignored = ("seconds", "reused") if was_through else ("seconds",)
    found = result_without(tmp_path / "job" / "result.json", *ignored)
    assert found == result_without(expected, *ignored)


def limit_file_size():
    """Writing more than 200 kB to a file fails from here on, as on a full disk."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path):
    code, output = run(tmp_path, f"paths.output={tmp_path / 'job'}", preexec_fn=limit_file_size)
    assert code == 1
    assert "error: " in output
    assert "File too large" in output
    assert "Traceback" not in output
    assert not list(tmp_path.rglob("result.json"))
    finished = [p for p in tmp_path.glob("store/baseline/*") if p.suffix not in (".part", ".lock")]
    assert not finished


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("split.layer=conv9", "error: split.layer='conv9' is neither"),
        ("model=custom", "error: model.net._target_ is not given"),
    ],
)
def test_a_mistake_is_said_without_a_traceback(tmp_path, mistake, message):
    code, output = run(tmp_path, mistake)
    assert code == 1
    assert message in output
    assert "Traceback" not in output


def test_a_lack_of_memory_is_said_with_what_takes_less(tmp_path, caplog):
    with pytest.raises(SystemExit) as stop:
        command(lambda _: torch.empty(10**16), compose_job(tmp_path))
    assert stop.value.code == 1
    assert "choose a smaller stage.<stage>.batch_size" in caplog.text
    with pytest.raises(RuntimeError, match="inconsistent"):
        command(lambda _: torch.zeros(2) @ torch.zeros(3), compose_job(tmp_path))
