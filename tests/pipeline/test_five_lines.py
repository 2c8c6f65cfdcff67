"""The library beside train.py: the same accuracy from plain loaders; its page and example run."""

import math
import re
import runpy
from dataclasses import replace

import torch
from pipeline.jobs import ROOT, compose_job
from torch.utils.data import DataLoader, TensorDataset

import isplit
from isplit import config, runs
from isplit.evaluate import evaluate
from isplit.runs.base import open_baseline, workbench

SMOKE = ("data.images_per_class=100", "stage.baseline.epochs=6", "split.layer=block5_conv2")
PAGE = ROOT / "docs" / "library.md"


def test_five_lines_reach_what_train_py_reaches(tmp_path):
    cfg = compose_job(tmp_path, *SMOKE)
    expected = runs.train(cfg)[0]
    bench = workbench(cfg)
    stored = open_baseline(cfg, bench).stored
    model = config.build_model(config.model_keys(cfg, bench.data))
    model.load_state_dict(stored.made.weights)
    train, val, test = (
        DataLoader(TensorDataset(*map(torch.cat, zip(*batches, strict=True))), 32, shuffle=True)
        for batches in (bench.data.loader(name, 50) for name in ("train", "validation", "test"))
    )
    ranking = isplit.rank(model, val)
    split = isplit.split(model, ranking.points[expected.split.index], rate=0.9)
    split.autoencoder = replace(split.autoencoder, epochs=2)
    as_smoke = {"loss": "cross_entropy", "learning_rate": 5e-4, "net_learning_rate": None}
    split.finetune = replace(split.finetune, epochs=1, **as_smoke)
    found = split.fit(train, val, progress="none")
    assert found.test_images == len(val.dataset)
    accuracies = [evaluate(split, test, 10).accuracy, expected.accuracy.after_finetune]
    mean = sum(accuracies) / 2
    error = math.sqrt(2 * mean * (1 - mean) / expected.accuracy.test_images)
    assert mean > 0.7  # of ten classes
    assert abs(accuracies[0] - accuracies[1]) < 2 * error
    split.save(tmp_path / "out")
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {path.name for path in (tmp_path / "job").glob("split_model.*")}
    images, _ = next(iter(test))
    assert torch.equal(isplit.load(tmp_path / "out", model)(images), split(images))


def test_the_blocks_of_the_page_run_in_their_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    names = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert {path.name for path in tmp_path.iterdir()} == {"curve.png", "out"}
    assert "highest value: " in capsys.readouterr().out


def test_the_example_runs_and_fits_on_a_screen(capsys):
    path = ROOT / "examples" / "rank_my_model.py"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 35
    runpy.run_path(str(path), run_name="__main__")
    said = capsys.readouterr().out.splitlines()[-1]
    before, after = map(float, re.fullmatch(r"cut after \w+: (\S+) -> (\S+)", said).groups())
    assert before > 0.9
    assert after > 0.8
