"""The processes of a job; what they do together is in tests/pipeline/test_ddp.py."""

import pytest

from isplit.stages import Team, teamed


def test_one_device_is_a_team_of_one():
    with teamed("cpu", 1, "auto", 1) as team:
        assert team == Team()
        assert team.leads
        assert team.agreed("anything") == "anything"


def test_whatever_auto_finds_may_be_one_device():
    with teamed("cpu", "auto", "auto", 1, may_start=False) as team:
        assert team.size == 1


def test_a_sweep_cannot_start_processes_for_one_of_its_jobs():
    message = r"trainer\.devices=2 starts its processes .* hydra\.launcher\.tasks_per_node="
    with pytest.raises(ValueError, match=message), teamed("cpu", 2, "ddp", 1, may_start=False):
        pass
