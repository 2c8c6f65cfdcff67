"""How each predictor orders the split points of residual nets: the table of docs/predictors.md.

    python benchmarks/residual.py docs/results/residual.csv

Nothing is trained: the file has each point's accuracies and what the predictors said of it.
"""

import csv
import sys
from itertools import groupby
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

FIRST = 4  # columns that are no predictor
ACCURACY = "after_finetune"


def main(path: str) -> None:
    """Print a line for each predictor, the best first."""
    rows = list(csv.DictReader(Path(path).read_text(encoding="utf-8").splitlines()))
    conditions = [list(same) for _, same in groupby(rows, key=lambda row: row["condition"])]
    names = [name for name in list(rows[0])[FIRST:] if name != ACCURACY]
    found = {name: [_scores(same, name) for same in conditions] for name in names}
    print("| predictor | rho | loses | half: rho | half: loses |\n| --- | --- | --- | --- | --- |")
    for name in sorted(names, key=lambda name: -fmean(rho for rho, *_ in found[name])):
        rho, lost, half_rho, half_lost = zip(*found[name], strict=True)
        losses = (f"{100 * fmean(of):.1f} / {100 * max(of):.1f}" for of in (lost, half_lost))
        print(f"| `{name}` | {fmean(rho):+.2f} | {next(losses)} | ", end="")
        print(f"{np.nanmean(half_rho):+.2f} | {next(losses)} |")


def _scores(rows: list[dict[str, str]], name: str) -> tuple[float, float, float, float]:
    """Rank correlation and loss of the highest value, of all points and with half of the work."""
    column = {key: np.array([float(row[key]) for row in rows]) for key in (name, ACCURACY)}
    half = np.array([float(row["head_share"]) <= 0.5 for row in rows])
    value, accuracy = column[name], column[ACCURACY]
    return (*_of(value, accuracy), *_of(value[half], accuracy[half]))


def _of(value: NDArray[np.float64], accuracy: NDArray[np.float64]) -> tuple[float, float]:
    chosen = max(range(len(value)), key=lambda p: (value[p], p))  # of equal values the deeper
    return float(spearmanr(value, accuracy).statistic), float(accuracy.max() - accuracy[chosen])


if __name__ == "__main__":
    main(*sys.argv[1:])
