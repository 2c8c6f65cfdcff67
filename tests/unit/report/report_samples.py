"""Conditions made from random numbers, with a likeness to real ones."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from made_conditions import trained

from isplit.importance.curve import Curve, PredictorCost
from isplit.importance.curves import cut_distil_encode, depth, layer_size
from isplit.point import SplitPoint
from isplit.report.findings import write_findings
from isplit.report.page import write_report
from isplit.result import PerClass
from isplit.studies.agreement.agreement import agreement
from isplit.studies.agreement.leaderboard import leaderboard
from isplit.studies.agreement.study import condition_findings, together
from isplit.studies.conditions import Condition, Retrained
from isplit.studies.seen import Pictures

VGG = [(1, 64), (1, 64), (2, 64), (2, 128), (2, 128), (4, 128), *[(4, 256)] * 3, (8, 256)]
VGG += [*[(8, 512)] * 3, (16, 512), *[(16, 512)] * 3, (32, 512)]  # (stride, channels)
NAMES = "1_conv1 1_conv2 1_pool 2_conv1 2_conv2 2_pool 3_conv1 3_conv2 3_conv3 3_pool 4_conv1"
NAMES += " 4_conv2 4_conv3 4_pool 5_conv1 5_conv2 5_conv3 5_pool"

NASTY = "<b>\"&'</script><script>alert(1)</script>"


def points(count=18):
    return tuple(_point(i) for i in range(count))


def condition(
    name="vgg16 on letters, rate 0.9, seed 0",
    *,
    count=18,
    classes=10,
    repeats=2,
    trained=None,
    images=2000,
    seed=0,
    judge=True,
    called="class",
    left_out=("run_7: no result.json, the job did not finish",),
):
    """A condition of ``count`` points of which ``trained`` (all) have ``repeats`` trainings."""
    rng = np.random.default_rng(seed)
    where = points(count)
    names = tuple(f"{called} {chr(65 + c) if c < 26 else c}" for c in range(classes))
    quality = 0.86 + 0.05 * np.linspace(0, 1, count) - 0.08 * rng.random(count) ** 3
    baseline_f1 = tuple(np.clip(rng.normal(0.85, 0.1, classes), 0.05, 0.99).tolist())
    made = Condition(
        name=name,
        facts={"model": "vgg16", "data": "letters", "compression rate": 0.9, "seed": seed},
        class_names=names,
        baseline_accuracy=0.914,
        baseline_f1=baseline_f1,
        test_images=images,
        points=where,
        retrained=tuple(
            _retrained(where[p], quality[p], names, baseline_f1, repeats, images, rng)
            for p in (range(count) if trained is None else trained)
        ),
        curves=_curves(where, names, quality, rng),
        costs={
            "cui": PredictorCost(2000, 1, 1),
            "gradient": PredictorCost(2000, 1, 1),
            "probe": PredictorCost(256, 19),
        },
        left_out=left_out,
    )
    return replace(made, agreement=agreement(made, draws=200)) if judge else made


def judged(made):
    return replace(made, agreement=agreement(made, draws=200))


@cache
def analysis(temporary: Path):
    """Three small conditions, one without a judgement, with names that try to break the page."""
    folder = temporary / "analysis"
    conditions = (
        condition(f"first {NASTY}", count=7, classes=3, called=NASTY),
        condition("second", count=5, classes=12, repeats=1, seed=1, left_out=()),
        condition("third", count=4, classes=2, trained=[1], seed=2, judge=False),
    )
    pixels = np.random.default_rng(0).integers(0, 255, (2, 3, 8, 8, 3), dtype=np.uint8)
    pictures = Pictures(pixels, points(2), pixels[0], ["x", NASTY, "z"])
    parts = [condition_findings(conditions[0], pictures), *map(condition_findings, conditions[1:])]
    parts[1:] = [replace(part, figures=part.figures[:2]) for part in parts[1:]]  # they take long
    found = together(conditions, parts, [f"run 9 {NASTY}: schema 0, this program reads 1"])
    configs = {f"config {NASTY}": f"model: {NASTY}\n" + "x" * 500}
    write_findings(found, folder)
    path = write_report(folder, found, {"isplit": "0.1.0"}, configs)
    board = leaderboard([c for c in conditions if c.agreement])
    return SimpleNamespace(conditions=conditions, board=board, found=found, path=path)


def _point(i):
    stride, channels = VGG[i % len(VGG)]
    label = f"block{NAMES.split()[i % len(VGG)]}" + ("" if i < len(VGG) else f"_{i}")
    macs = 1_500_000 * (i + 1)
    size = max(1, 32 // stride)
    shape = (channels // 4, size, size)
    return SplitPoint(i, f"features.{i}", shape, f"n{i}", macs, 30_000_000 - macs, 99 * i, (label,))


def _curves(where, names, quality, rng):
    base = np.array([1 / p.numel for p in where]) * np.exp(rng.normal(0, 0.5, len(where)))
    per_class = {
        name: tuple((base * np.exp(rng.normal(0, 0.4, len(where)))).tolist()) for name in names
    }
    cui = Curve("cui", where, tuple(base.tolist()), per_class, num_images=2000)
    rising = np.exp(np.linspace(-9, -2, len(where)) + rng.normal(0, 0.3, len(where)))
    probe = -np.exp(-25 * (quality - 0.8)) * np.exp(rng.normal(0, 0.2, len(where)))
    random_cui = tuple((base * np.exp(rng.normal(0, 0.2, len(where)))).tolist())
    return {
        "cui": cui,
        "gradient": Curve("gradient", where, tuple(rising.tolist()), num_images=2000),
        "cde": cut_distil_encode(where),
        "size": layer_size(where),
        "depth": depth(where),
        "probe": Curve("probe", where, tuple(probe.tolist()), num_images=256),
        "cui(channels=sum)": Curve("cui", where, tuple((base * 3).tolist()), num_images=2000),
        "random:cui": Curve("cui", where, random_cui, num_images=2000),
    }


def _retrained(point, quality, names, before, repeats, images, rng):
    results = tuple(_result(point, quality, names, before, images, rng) for _ in range(repeats))
    first = results[0].accuracy.after_finetune
    spread = np.sqrt(first * (1 - first) / 800)
    subsets = tuple(np.clip(rng.normal(first, spread, 15), 0, 1).tolist())
    return Retrained(point.index, results, subsets)


def _result(point, quality, names, before, images, rng):
    accuracy = float(np.clip(quality + rng.normal(0, 0.006), 0, 1))
    after = tuple(np.clip(np.array(before) + rng.normal(-0.02, 0.03, len(before)), 0, 1).tolist())
    made = trained(
        point,
        accuracy,
        nmse=float(rng.uniform(0.05, 0.4)),
        before=accuracy - 0.3 * float(rng.random()),
        test_images=images,
        per_class=PerClass(names, before, after),
    )
    sent = 4 * max(1, point.numel // 10)
    cost = replace(made.cost, feature_bytes=point.feature_bytes, payload_bytes=sent)
    return replace(made, cost=cost)
