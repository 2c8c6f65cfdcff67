"""The 25 conditions of docs/results, scored again from their tables: the same to the last digit."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from isplit.studies.agreement.correlation import correlation, target

RESULTS = Path(__file__).parents[3] / "docs" / "results"
CONDITIONS = sorted(path.parent for path in RESULTS.glob("*/curve.csv"))
DRAWS, SEED = 2000, 0


def nothing_for_nan(value):
    return None if np.isnan(value) else pytest.approx(value, abs=1e-12)


def test_there_are_25():
    assert len(CONDITIONS) == 25


@pytest.mark.parametrize("folder", CONDITIONS, ids=lambda folder: folder.name)
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
