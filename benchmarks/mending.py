"""What the default recipe gains over the paper's, and over the one before: docs/recipes.md.

    python benchmarks/mending.py docs/results/mending.csv

Nothing is trained: the file has each point's accuracies on test, each recipe from the very same
autoencoder; a cell is empty where nobody trained it.
"""

import csv
import sys
from itertools import groupby
from pathlib import Path

import numpy as np

RECIPES = {"paper": "paper", "both_high": "both-high"}
DRAWS = 10_000


def main(path: str) -> None:
    """Print a line for each condition and one for all, gains in points of accuracy."""
    rows = list(csv.DictReader(Path(path).read_text(encoding="utf-8").splitlines()))
    conditions = {name: list(of) for name, of in groupby(rows, key=lambda row: row["condition"])}
    heads = [f"above `{name}`, lowest" for name in RECIPES.values()]
    print(f"| condition | points | before fine-tuning | {' | '.join(heads)} |")
    print("| --- | --- | --- | --- | --- |")
    for name, points in conditions.items():
        before = 100 * np.mean([gain(row, "after_autoencoder") for row in points])
        cells = [" / ".join(f"{one:+.1f}" for one in told(points, recipe)) for recipe in RECIPES]
        print(f"| {name} | {len(points)} | {before:+.1f} | {' | '.join(cells)} |")
    for recipe, label in RECIPES.items():
        means = [found[0] for of in conditions.values() if (found := told(of, recipe))]
        drawn = np.random.default_rng(0).choice(means, (DRAWS, len(means))).mean(1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        print(f"{label}: {np.mean(means):+.2f} ({low:+.2f} to {high:+.2f}), N={len(means)}")


def told(points: list[dict[str, str]], recipe: str) -> tuple[float, ...]:
    """Mean and lowest gain; nothing where nobody trained by the recipe."""
    gains = [100 * gain(row, recipe) for row in points if row[recipe]]
    return (float(np.mean(gains)), min(gains)) if gains else ()


def gain(row: dict[str, str], over: str) -> float:
    """Of the default at a point."""
    return float(row["mending"]) - float(row[over])


if __name__ == "__main__":
    main(sys.argv[1])
