"""The conditions of docs/results, scored again from their tables: the same to the last digit."""

import csv
import json
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from isplit.studies.agreement.correlation import correlation, target

RESULTS = Path(__file__).parents[3] / "docs" / "results"
DEFAULT = RESULTS / "default"  # trained by the default recipe, those above it by the paper's
CONDITIONS = sorted(path.parent for path in RESULTS.glob("*/curve.csv"))
BY_DEFAULT = sorted(path.parent for path in DEFAULT.glob("*/curve.csv"))
DRAWS, SEED = 2000, 0


def nothing_for_nan(value):
    return None if np.isnan(value) else pytest.approx(value, abs=1e-12)


def test_there_are_25():
    assert len(CONDITIONS) == 25


@pytest.mark.parametrize("folder", [*CONDITIONS, *BY_DEFAULT], ids=lambda folder: folder.name)
def test_what_was_published_is_what_comes_out(folder):
    with (folder / "curve.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["accuracy"]]
    published = json.loads((folder / "agreement.json").read_text("utf-8"))["predictors"]
    to = target(np.array([float(row["accuracy"]) for row in rows]), DRAWS, SEED)
    names = [name for name in published if all(row[name] for row in rows)]
    assert len(names) >= 15
    for name in names:
        x = np.array([float(row[name]) for row in rows])
        kinds = ("spearman", "kendall", "pearson") if name in ("cui", "probe") else ("spearman",)
        for kind in kinds:
            found, said = correlation(kind, x, to), published[name]
            assert said[kind] == nothing_for_nan(found.value)
            assert said[f"{kind}_ci95"] == [nothing_for_nan(end) for end in found.ci95]
            assert said[f"{kind}_p"] == nothing_for_nan(found.p)


def standings(results=RESULTS):
    board = json.loads((results / "leaderboard.json").read_text("utf-8"))
    return {s["predictor"]: s for s in board["standings"]}


def own_regret(folder, name, half):
    """By hand: what the highest interior peak of cui, the highest value of others loses."""
    with (folder / "curve.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    macs = [(int(row["head_macs"]), int(row["tail_macs"])) for row in rows]
    allowed = [p for p, (head, tail) in enumerate(macs) if head <= tail or not half]
    value, accuracy = ([float(row[key]) for row in rows] for key in (name, "accuracy"))
    inner = range(1, len(rows) - 1)
    peaks = [p for p in inner if value[p - 1] < value[p] > value[p + 1] and p in allowed]
    inside = [p for p in allowed if p in inner]
    chosen = max((peaks or inside) if name == "cui" else allowed, key=lambda p: (value[p], p))
    return max(accuracy[p] for p in allowed) - accuracy[chosen]


@pytest.mark.parametrize("name", ["cui", "probe", "depth", "after_autoencoder"])
@pytest.mark.parametrize("part", ["", "half_"])
@pytest.mark.parametrize("results", [RESULTS, DEFAULT], ids=["paper", "default"])
def test_the_regrets_of_the_leaderboard_are_those_of_each_predictors_own_rule(results, name, part):
    folders = sorted(path.parent for path in results.glob("*/curve.csv"))
    lost = [own_regret(folder, name, part == "half_") for folder in folders]
    said = standings(results)[name]
    assert said["rule"] == ("highest interior peak" if name == "cui" else "highest value")
    assert said[f"{part}mean_regret"] == pytest.approx(np.mean(lost), abs=1e-12)
    assert said[f"{part}worst_regret"] == pytest.approx(max(lost), abs=1e-12)


@pytest.mark.parametrize("results", [RESULTS, DEFAULT], ids=["paper", "default"])
def test_the_docs_quote_the_leaderboard(results):
    """Every row of its table in docs/predictors.md; that of the 25 has a column of costs too."""
    text = (RESULTS.parent / "predictors.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    before = 2 if results == RESULTS else 1
    quoted = {row[0].strip("`"): row[before:] for row in rows if len(row) == len(TABLE) + before}
    known = standings(results)
    assert quoted.pop("predictor")
    quoted = {name: cells for name, cells in quoted.items() if name in known}
    assert quoted.keys() == known.keys()
    for name, cells in quoted.items():
        assert cells == [of(known[name]) for of in TABLE], name


def rho(part):
    key = f"{part}mean_spearman"

    def said(s):
        low, high = s[f"{key}_ci95"]
        return f"{s[key]:+.2f} ({low:+.2f} to {high:+.2f})"

    return said


def loss(part):
    return lambda s: f"{100 * s[f'{part}mean_regret']:.1f} / {100 * s[f'{part}worst_regret']:.1f}"


FAMILIES = ("vgg", "mobilenet", "resnet")
TABLE = [
    rho(""),
    lambda s: " / ".join(f"{s['families'][of]:+.2f}" for of in FAMILIES if of in s["families"]),
    lambda s: f"{s['beats_cui']} of {s['against_cui']}" if s["predictor"] != "cui" else "",
    lambda s: "peak" if "peak" in s["rule"] else "value",
    loss(""),
    rho("half_"),
    loss("half_"),
]
"""The cells of a row in docs/predictors.md, after the predictor and its cost."""


GOALS = (
    ("ans", "encode", 3, "zlib-1"),
    ("ans", "encode", 10, "zlib-6"),
    ("ans", "encode", 1, "zstd-1"),
    ("rle", "encode", 3, "zlib-1"),
    ("rle", "decode", 2, "zlib-6"),
)


@pytest.mark.parametrize(("codec", "way", "times", "other"), GOALS)
def test_the_page_of_the_codec_says_which_goals_of_speed_are_reached(codec, way, times, other):
    with (RESULTS / "codec.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    speed = {
        (row["model"], row["point"], int(row["bits"]), row["codec"]): float(row[f"{way}_mb_s"])
        for row in rows
    }
    reached = {
        cell: speed[(*cell, codec)] / speed[(*cell, other)] / times
        for *cell, name in speed
        if name == codec
        for cell in [tuple(cell)]
    }
    by_bits = [
        statistics.median(part for cell, part in reached.items() if cell[2] == bits)
        for bits in range(1, 9)
    ]
    count = sum(part >= 1 for part in reached.values())
    line = f"| `{codec}` {way}s | {times} x {other} | {count} of {len(reached)} | "
    line += f"{statistics.median(reached.values()):.2f} | "
    line += ", ".join(f"{part:.2f}" for part in by_bits)
    assert line in (RESULTS.parent / "codec.md").read_text("utf-8")


def lost(folder):
    """Points of accuracy below the unsplit net's, mean over the points of a condition."""
    with (folder / "curve.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["accuracy"]]
    return 100 * statistics.mean(float(r["baseline_accuracy"]) - float(r["accuracy"]) for r in rows)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("all 25", ""),
        ("rate 0.984 (9)", "rate-0.984"),
        ("a code of 64 elements (8)", "code-of-64"),
        ("rate 0.9 (8)", "rate-0.9-"),
    ],
)
def test_the_page_of_the_recipes_says_what_there_is_to_gain(words, part):
    chosen = [folder.name for folder in CONDITIONS if part in folder.name]
    paper = statistics.mean(lost(RESULTS / name) for name in chosen)
    default = statistics.mean(
        lost(DEFAULT / name.replace("vgg16", "vgg16-x-0.25")) for name in chosen
    )
    page = (RESULTS.parent / "recipes.md").read_text("utf-8")
    assert f"| {words} | {paper:.1f} | {default:.1f} |" in page


def test_the_table_of_the_sixth_round_is_that_of_its_command():
    script, table = (RESULTS.parents[1] / "benchmarks/residual.py", RESULTS / "sixth_round.csv")
    made = subprocess.run(
        [sys.executable, script, table], capture_output=True, text=True, check=True
    ).stdout
    assert "| `probe_folds` | " in made
    assert made in (RESULTS.parent / "predictors.md").read_text("utf-8")


def test_the_page_says_how_far_second_trainings_agree():
    with (RESULTS / "second_trainings.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    agreement = {"whole": [], "half": []}
    for name in dict.fromkeys(row["condition"] for row in rows):
        same = [row for row in rows if row["condition"] == name]
        half = [row for row in same if float(row["head_share"]) <= 0.5]
        for part, some in (("whole", same), ("half", half)):
            pairs = [(float(row["first"]), float(row["second"])) for row in some]
            agreement[part].append(spearmanr(*zip(*pairs, strict=True)).statistic)
    page = " ".join((RESULTS.parent / "predictors.md").read_text("utf-8").split())
    whole, half = agreement["whole"], agreement["half"]
    assert (
        "rho {:.2f} and {:.2f} on notMNIST (rates 0.984 and 0.9), {:.2f} and {:.2f}".format(*whole)
        in page
    )
    assert "of the work at {:.2f}, {:.2f}, {:.2f} and {:.2f}".format(*half) in page
    ceilings = [statistics.mean(some) ** 0.5 for some in (whole, half)]
    assert "{:.2f} there and {:.2f} with half of the work".format(*ceilings) in page
