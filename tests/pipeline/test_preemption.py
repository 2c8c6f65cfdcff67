"""``python train.py`` when a scheduler wants the machine back."""

import signal
import time

import pytest
from pipeline.jobs import start_job


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1], ids=["TERM", "USR1"])
def test_a_job_that_is_wanted_back_says_so_and_has_a_status_of_its_own(tmp_path, number):
    process = start_job(tmp_path, f"paths.output={tmp_path / 'job'}", "stage.baseline.epochs=2000")
    try:
        deadline = time.monotonic() + 900
        while not list(tmp_path.glob("store/baseline/*.part/last.ckpt")):
            assert time.monotonic() < deadline, "it never began"
            time.sleep(0.1)
    finally:
        process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 75
    assert output.splitlines()[-1].startswith("preempted; the same command goes on: finished")
    assert "Traceback" not in output
    assert not (tmp_path / "job" / "result.json").exists()
