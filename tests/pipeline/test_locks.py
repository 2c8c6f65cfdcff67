"""Jobs that start together on one store: one makes, the others wait; who dies holds nothing."""

import json
import time

import pytest
import torch
from pipeline.jobs import start_job
from safetensors.torch import load_file

from isplit.sweeps.earlier import read_result

LAYERS = ("block1_pool", "block2_pool", "block3_pool", "block4_pool") * 2
BRIEF = ("stage.autoencoder.epochs=1", "stage.finetune.epochs=0")
PATIENCE = 900  # seconds until jobs end; a busy machine needs a minute to import torch
SOON = 60  # seconds that a dead process may delay the others


def start_together(root, count, *overrides):
    """So many jobs at once; from the fifth on they differ from one before in the seed of a part."""
    places = [(layer, f"repeat={number // 4}") for number, layer in enumerate(LAYERS[:count])]
    return [
        start_job(
            root,
            *BRIEF,
            *overrides,
            f"split.layer={layer}",
            repeat,
            f"paths.output={root / f'job{n}'}",
        )
        for n, (layer, repeat) in enumerate(places)
    ]


def ended(processes):
    """The output of each; all must have come to their end, and none is left behind."""
    try:
        outputs = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output
    return outputs


def finished(root, stage):
    return [path for path in root.glob(f"store/{stage}/*") if path.is_dir() and not path.suffix]


@pytest.mark.parametrize("count", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_jobs_of_one_moment_train_one_baseline(tmp_path, count):
    ended(start_together(tmp_path, count))
    found = [read_result(tmp_path / f"job{number}") for number in range(count)]
    assert sum(not result["stages"]["baseline"]["reused"] for result in found) == 1
    assert [len(finished(tmp_path, stage)) for stage in ("baseline", "curve")] == [1, 1]
    assert len(finished(tmp_path, "autoencoder")) == count
    for stage in tmp_path.glob("store/*/*/stage.json"):
        assert json.loads(stage.read_text(encoding="utf-8"))["facts"]
        weights = load_file(stage.with_name("weights.safetensors"))
        assert all(torch.isfinite(tensor).all() for tensor in weights.values())
    assert not list(tmp_path.glob("store/*/*.part"))


def test_a_maker_that_is_killed_does_not_delay_the_others(tmp_path):
    victim = start_job(tmp_path, "stage.baseline.epochs=500", f"paths.output={tmp_path / 'victim'}")
    try:
        deadline = time.monotonic() + PATIENCE
        while not list(tmp_path.glob("store/baseline/*.part/last.ckpt")):
            assert time.monotonic() < deadline, "it never began"
            time.sleep(0.1)
        heir = start_job(tmp_path, "stage.baseline.epochs=500", f"paths.output={tmp_path / 'heir'}")
        for line in heir.stdout:
            if "another process is making it, waiting" in line:
                break
    finally:
        victim.kill()
        victim.communicate()
    begin = time.monotonic()
    try:
        for line in heir.stdout:
            if "goes on after epoch" in line:
                break
        else:
            raise AssertionError("the other job ended without the baseline")
        assert time.monotonic() - begin < SOON
    finally:
        heir.kill()
        heir.communicate()
