"""A job that two processes share (``trainer.devices=2``), beside the same job in one."""

import csv
import json
from contextlib import nullcontext

import pytest
from pipeline.jobs import compose_job, start_job

from isplit import runs
from isplit.stages import Team

SHARED = ("trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp")


def result_file(root):
    return json.loads((root / "job" / "result.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    root = tmp_path_factory.mktemp("alone")
    runs.train(compose_job(root))
    return root


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    root = tmp_path_factory.mktemp("shared")
    process = start_job(root, *SHARED, f"paths.output={root / 'job'}")
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return root, output


def test_two_processes_begin_as_one(alone, shared):
    """What they come to is in tests/unit/stages/test_together.py."""
    losses = []
    for root in (alone, shared[0]):
        with (root / "job" / "metrics.csv").open(encoding="utf-8") as file:
            first = next(row for row in csv.DictReader(file) if row["train_loss"])
        losses.append(float(first["train_loss"]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_a_stage_is_the_same_stage_whoever_made_it(alone, shared):
    one, two = result_file(alone), result_file(shared[0])
    for stage, made in one["stages"].items():
        assert two["stages"][stage]["fingerprint"] == made["fingerprint"]


def test_one_of_them_writes_and_speaks(alone, shared):
    root, output = shared
    names = [
        sorted(p.name for p in (r / "job").iterdir() if p.name[0] != ".") for r in (alone, root)
    ]
    assert names[0] == names[1]
    assert output.count("split at block3_pool") == 1
    assert output.count("Cut after block3_pool") == 1
    assert "Warning" not in output
    assert not list(root.glob("store/*/*.part"))


def test_what_they_share_goes_on_in_one(shared):
    """The store of two is the store of one: nothing is made again."""
    root, _ = shared
    again = runs.train(compose_job(root, output="again"))[0]
    assert all(stage.reused for stage in again.stages.values())


def test_a_batch_that_cannot_be_divided_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("isplit.job.teamed", lambda *args, **keys: nullcontext(Team(0, 2)))
    message = r"stage\.autoencoder\.batch_size=33 cannot be divided among the 2 processes"
    with pytest.raises(ValueError, match=message):
        runs.train(compose_job(tmp_path, "stage.autoencoder.batch_size=33"))
