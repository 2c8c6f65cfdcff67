"""The split points: what was predicted and what was measured there, as tables."""

import math
from dataclasses import replace
from typing import Any

from isplit.report.findings import Chart
from isplit.report.table import Column, Table
from isplit.studies.agreement.noise import accuracy_error
from isplit.studies.conditions import (
    MEASURED,
    Condition,
    Retrained,
)

Row = dict[str, Any]
RANKED = ("cui", "probe")  # predictors whose ranks stand beside the points

POINTS = (
    Column("index"),
    Column("label", "split point"),
    Column("layer", "module"),
    Column("shape", form=lambda shape: " x ".join(map(str, shape)), sort=math.prod),
    Column("feature_bytes", "features", "bytes", ",d"),
    Column("head_macs", "head", "10⁶ MACs", ",.1f", 1e-6),
    *(Column(f"{kind}_rank", f"{kind}: rank") for kind in RANKED),
    Column("accuracy", form=".3f"),
    Column("accuracy_error", "±", form=".3f"),
    Column("after_autoencoder", "before fine-tuning", form=".3f"),
    Column("payload_bytes", "payload", "bytes", ",d"),
    Column("minus_nmse", "bottleneck NMSE", form=".3f", scale=-1, sort=lambda value: -value),
)


def points_table(condition: Condition) -> Table:
    """A row for each split point: what it is, what it costs, what was measured there."""
    trained = {t.position: t for t in condition.retrained}
    rows = []
    for position, row in enumerate(curve_rows(condition).rows):
        kinds = [kind for kind in RANKED if kind in condition.curves]
        ranks = {f"{kind}_rank": condition.curves[kind].rank(position) for kind in kinds}
        error = position in trained and accuracy_error(trained[position], condition.test_images)
        shape = condition.points[position].shape
        rows.append({**row, **ranks} | {"shape": shape, "accuracy_error": error or None})
    known = {key for row in rows for key, value in row.items() if value is not None}
    return Table(
        "Split points",
        [column for column in POINTS if column.key in known],
        rows,
        "Rank 1: where the predictor expects most, of all points. Accuracy: on the test images "
        "at the end, the mean where there were several trainings; ±: their standard "
        "deviation, of a single one the binomial standard error. NMSE: squared error of the "
        "reconstructed features over their variance. No accuracy: not trained.",
    )


def curve_rows(condition: Condition) -> Table:
    """``curve.csv``: a row per split point, from the input on; empty where nothing was measured.

    Columns: the point and its costs (bytes of one image's features as float32 and of what is sent,
    multiply-accumulates, parameters), every predictor's value under its name, then test accuracy:
    the mean over the point's trainings, their lowest and highest where there are several, their
    number, and that of the unsplit model. Floats are written in full, so that the agreement can be
    recomputed from this file to the last digit.
    """
    retrained = {r.position: r for r in condition.retrained}
    rows = [_row(condition, p, retrained.get(p)) for p in range(len(condition.points))]
    return Table.of_rows("curve", rows)


def predictions_rows(condition: Condition) -> Table:
    """For trackers: a row per predictor and split point, with the accuracy where it is known."""
    accuracy = {r.position: r.accuracy for r in condition.retrained}
    rows = [
        {"index": point.index, "layer": point.label, "predictor": name}
        | {"value": value, "rank": curve.rank(p), "accuracy": accuracy.get(p)}
        for name, curve in condition.curves.items()
        for p, (point, value) in enumerate(zip(curve.points, curve.values, strict=True))
    ]
    return Table.of_rows("curves", rows)


def charts(rows: Table) -> dict[str, Chart]:
    """Of these rows, for trackers."""
    cui = replace(rows, rows=[row for row in rows.rows if row["predictor"] == "cui"])
    measured = replace(cui, rows=[row for row in cui.rows if row["accuracy"] is not None])
    title = "accuracy after splitting and retraining"
    return {
        "cui_rank_accuracy": Chart(measured, "scatter", "rank", "accuracy", title),
        "cui_curve": Chart(cui, "line", "index", "value", "CUI"),
        "accuracy_curve": Chart(measured, "line", "index", "accuracy", title),
    }


def _row(condition: Condition, position: int, trained: Retrained | None) -> Row:
    point = condition.points[position]
    first = trained and trained.results[0]
    each = [result.accuracy.final for result in trained.results] if trained else []
    several = len(each) > 1
    return {
        "index": point.index,
        "layer": point.name,
        "label": point.label,
        "shape": _sizes(point.shape),
        "numel": point.numel,
        "feature_bytes": point.feature_bytes,
        "head_macs": point.head_macs,
        "tail_macs": point.tail_macs,
        "head_params": point.head_params,
        "payload_bytes": first and first.cost.payload_bytes,
        "code_shape": first and first.bottleneck and _sizes(first.bottleneck.code_shape),
        **{name: curve.values[position] for name, curve in condition.curves.items()},
        **{name: trained and trained.measured.get(name) for name in MEASURED},
        "accuracy": trained and trained.accuracy,
        "accuracy_min": min(each) if several else None,
        "accuracy_max": max(each) if several else None,
        "trainings": len(each),
        "baseline_accuracy": condition.baseline_accuracy,
    }


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
