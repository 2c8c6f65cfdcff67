"""docs/reproduction.md and the README's lines on trust, held to the committed tables."""

import csv
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "docs" / "results"
PAGE = (ROOT / "docs" / "reproduction.md").read_text("utf-8")
BOARD = json.loads((RESULTS / "leaderboard.json").read_text("utf-8"))
STANDINGS = {s["predictor"]: s for s in BOARD["standings"]}
SEARCH = json.loads((RESULTS / "search.json").read_text("utf-8"))["rows"][0]
CONDITIONS = sorted(path.parent for path in RESULTS.glob("*/curve.csv"))


def rows_of(folder):
    with (folder / "curve.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("results", "least"),
    [
        (RESULTS, 2 + len(CONDITIONS) + 2 + 5),
        (RESULTS / "experiments", 20),
        (RESULTS / "experiments-seed-2", 2 + 7 + 2 + 2 + 10),
    ],
)
def test_the_tables_are_those_of_the_command(results, least):
    script = ROOT / "benchmarks" / "reproduction.py"
    command = [sys.executable, str(script), str(results)]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line for line in made.splitlines() if line]
    assert len(lines) >= least
    assert not [line for line in lines if line not in PAGE]


@pytest.mark.parametrize("name", ["cui", "random:cui", "size", "depth", "probe"])
def test_the_page_quotes_the_leaderboard(name):
    mean, (low, high) = (STANDINGS[name][f"mean_spearman{end}"] for end in ("", "_ci95"))
    assert f"{mean:+.2f} ({low:+.2f} to {high:+.2f})" in PAGE.split("Over all of them")[1]


@pytest.mark.parametrize("rate", ["0.9", "0.984"])
@pytest.mark.parametrize("data", ["tiny_imagenet", "notmnist"])
def test_figures_3_and_6_quote_their_conditions(data, rate):
    for seed in (0, 1):
        folder = RESULTS / f"vgg16-on-{data}-10-classes-rate-{rate}-seed-{seed}"
        found = json.loads((folder / "agreement.json").read_text("utf-8"))["predictors"]["cui"]
        low, high = found["spearman_ci95"]
        part = PAGE[: PAGE.index("### Every condition")]
        assert f"{found['spearman']:+.2f} ({low:+.2f} to {high:+.2f})" in part


@pytest.mark.parametrize("kind", ["cui", "depth"])
def test_the_page_quotes_the_third_seed(kind):
    """Of each condition, CUI with its interval and depth."""
    part = PAGE[: PAGE.index("### Every condition")]
    files = sorted((RESULTS / "experiments-seed-2").rglob("agreement.json"))
    assert len(files) == 7
    for path in files:
        found = json.loads(path.read_text("utf-8"))["predictors"][kind]
        low, high = found["spearman_ci95"]
        rho = f"{found['spearman']:+.2f}"
        assert (f"{rho} ({low:+.2f} to {high:+.2f})" if kind == "cui" else rho) in part


def highest_loses(folder):
    rows = rows_of(folder)
    accuracy = [float(row["accuracy"]) for row in rows]
    cui = [float(row["cui"]) for row in rows]
    return max(accuracy) - accuracy[cui.index(max(cui))]


def last_is_highest(folder):
    probe = [float(row["probe"]) for row in rows_of(folder)]
    return max(range(len(probe)), key=lambda p: (probe[p], p)) == len(probe) - 1


def test_each_of_the_readmes_five_lines_on_trust_has_its_numbers():
    section = (ROOT / "README.md").read_text("utf-8").split("## How far to trust the ranking")[1]
    lines = re.findall(r"^- (.*)$", section.split("\n## ")[0], re.MULTILINE)
    lost = 100 * np.array([highest_loses(folder) for folder in CONDITIONS])
    among = len(BOARD["conditions"])
    pairs = {tuple(folder.name.split("-10-classes")[0].split("-on-")) for folder in CONDITIONS}
    depth_wins, probe_wins = (f"{STANDINGS[n]['beats_cui']} of {among}" for n in ("depth", "probe"))
    regrets = SEARCH["regret_3"], SEARCH["regret_3_worst"]
    regret = "{:.2f} points on average and {:.2f} at worst".format(*regrets)
    wanted = [
        [depth_wins, f"({STANDINGS['random:cui']['mean_spearman']:.2f})"],
        [f"{lost.mean():.1f} points on average and {lost.max():.1f} at worst"],
        [probe_wins, f"last point in {sum(map(last_is_highest, CONDITIONS))} of {among}"],
        [regret, f"{SEARCH['error']:.1f} points off", f"hold {100 * SEARCH['covered']:.0f} %"],
        [
            f"{['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven'][len(pairs)]} pairs",
            *residual(),
        ],
    ]
    assert len(lines) == len(wanted)
    for line, numbers in zip(lines, wanted, strict=True):
        assert not [number for number in numbers if number not in line], line


def test_the_readme_says_what_comes_out_by_the_default_recipe():
    section = (ROOT / "README.md").read_text("utf-8").split("## How far to trust the ranking")[1]
    board = json.loads((RESULTS / "default" / "leaderboard.json").read_text("utf-8"))
    known = {s["predictor"]: s for s in board["standings"]}
    assert len(board["conditions"]) == 49
    rho = {name: f"{s['mean_spearman']:.2f}" for name, s in known.items()}
    loses = {name: [100 * s["mean_regret"], 100 * s["worst_regret"]] for name, s in known.items()}
    best = "its choice loses {:.1f} points on average and {:.1f} at worst"
    for said in (
        f"`probe_overlap` {rho['probe_overlap']}, depth {rho['depth']}, CUI {rho['cui']}",
        best.format(*loses["probe_overlap"]),
        "CUI's highest peak {:.1f} and {:.1f}".format(*loses["cui"]),
    ):
        assert said in section


def residual():
    """What ``probe_overlap`` and CUI's highest peak are worth on residual nets, in words."""
    with (RESULTS / "residual.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rhos, best, peak = [], [], []
    for _, group in itertools.groupby(rows, key=lambda row: row["condition"]):
        same = list(group)
        keys = ("probe_overlap", "cui", "after_finetune")
        probe, cui, reached = (np.array([float(row[key]) for row in same]) for key in keys)
        rhos.append(stats.spearmanr(probe, reached).statistic)
        first = max(range(len(probe)), key=lambda p: (probe[p], p))
        inside = [p for p in range(1, len(cui) - 1) if cui[p - 1] < cui[p] > cui[p + 1]]
        best.append(100 * (reached.max() - reached[first]))
        peak.append(100 * (reached.max() - max((cui[p], reached[p]) for p in inside)[1]))
    return [
        f"has {np.mean(rhos):.2f} and loses {np.mean(best):.1f} points on average and "
        f"{max(best):.1f} at worst",
        f"highest peak {np.mean(peak):.1f} and {max(peak):.1f}",
    ]


def test_the_readmes_table_of_trust_is_the_leaderboards():
    section = (ROOT / "README.md").read_text("utf-8").split("## How far to trust the ranking")[1]
    for name in ("probe_overlap", "probe", "depth", "cui"):
        s = STANDINGS[name]
        low, high = s["mean_spearman_ci95"]
        losses = [
            f"{100 * s[f'{part}mean_regret']:.1f} / {100 * s[f'{part}worst_regret']:.1f}"
            for part in ("", "half_")
        ]
        row = f"| `{name}` | {s['rule']} | {' | '.join(losses)} | "
        assert row + f"{s['mean_spearman']:.2f} ({low:.2f} to {high:.2f}) |" in section
