import csv
import io
import math

import numpy as np
import pytest
import scipy.stats
from made_conditions import condition

from isplit.report.findings import as_json
from isplit.studies.agreement.agreement import agreement
from isplit.studies.agreement.points import curve_rows


def rows_of(made):
    return list(csv.DictReader(io.StringIO(curve_rows(made).csv())))


def sweep(seed=0, n=18):
    """Eighteen points, some trained twice, one not at all; predictors of several kinds."""
    rng = np.random.default_rng(seed)
    accuracies = rng.integers(1200, 1800, size=n) / 2000
    accuracies[4] = accuracies[7]
    repeated = [[a, a - 0.0115] if i % 3 else a for i, a in enumerate(accuracies.tolist())]
    noisy = accuracies + 0.1 * rng.normal(size=n)
    return condition(
        repeated,
        curves={
            "cui": np.exp(30 * noisy - 40),
            "cui(channels=sum,spatial=mean)": np.exp(5 * noisy),
            "random:cui": rng.normal(size=n) * 1e-30,
            "size": rng.integers(3, size=n),
            "holed": np.where(np.arange(n) == 2, np.nan, noisy),
        },
        nmse={i: float(v) for i, v in enumerate(rng.random(n))},
        before={i: float(v) for i, v in enumerate(rng.random(n))},
        left_untrained=[11],
    )


def test_the_agreement_can_be_recomputed_from_the_table():
    made = sweep()
    measured = [row for row in rows_of(made) if row["accuracy"]]
    best = max(float(row["accuracy"]) for row in measured)
    predictors = as_json(agreement(made, draws=50))["predictors"]
    assert len(predictors) == 7
    for name, found in predictors.items():
        known = [row for row in measured if row[name]]
        x = [float(row[name]) for row in known]
        y = [float(row["accuracy"]) for row in known]
        picked = max(known, key=lambda row, name=name: (float(row[name]), int(row["index"])))
        by_hand = {
            "n": len(known),
            "spearman": scipy.stats.spearmanr(x, y).statistic,
            "kendall": scipy.stats.kendalltau(x, y).statistic,
            "pearson": scipy.stats.pearsonr(x, y).statistic,
            "regret": best - float(picked["accuracy"]),
        }
        assert {key: found[key] for key in by_hand} == pytest.approx(by_hand, abs=1e-9)


def test_a_row_says_all_about_its_point():
    made = condition(
        [0.5, [0.6, 0.8]],
        sizes=[16, 8],
        curves={"cui": [1 / 3, 2e-9]},
        nmse={1: 0.5},
        before={1: 0.1},
    )
    assert rows_of(made)[1] == {
        "index": "1",
        "layer": "features.1",
        "label": "features.1",
        "shape": "8x2x2",
        "numel": "32",
        "feature_bytes": "128",
        "payload_bytes": "16",
        "code_shape": "1x2x2",
        "head_macs": "10",
        "tail_macs": "890",
        "head_params": "7",
        "cui": "2e-09",
        "minus_nmse": "-0.5",
        "after_autoencoder": "0.1",
        "accuracy": "0.7",
        "accuracy_min": "0.6",
        "accuracy_max": "0.8",
        "trainings": "2",
        "baseline_accuracy": "0.9125",
    }


def test_what_was_not_measured_is_empty():
    made = condition([0.5, 0.6], curves={"cui": [math.nan, 1.0]}, left_untrained=[0])
    untrained, once = rows_of(made)
    empty = {"payload_bytes", "code_shape", "minus_nmse", "after_autoencoder", "accuracy", "cui"}
    assert {name for name, cell in untrained.items() if not cell} == empty | {
        "accuracy_min",
        "accuracy_max",
    }
    assert untrained["trainings"] == "0"
    assert {name for name, cell in once.items() if not cell} == {"accuracy_min", "accuracy_max"}


def test_every_value_comes_back_to_the_last_digit():
    made = sweep(3)
    for row, *values in zip(rows_of(made), *(c.values for c in made.curves.values()), strict=True):
        for name, value in zip(made.curves, values, strict=True):
            assert (float(row[name]) if row[name] else math.nan) == pytest.approx(
                value, rel=0, abs=0, nan_ok=True
            )
