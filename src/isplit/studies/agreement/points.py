"""The split points: what was predicted and measured there, for programs and for marks."""

from dataclasses import replace
from typing import Any

from isplit.report.findings import Chart
from isplit.report.table import Table
from isplit.studies.agreement.noise import accuracy_error
from isplit.studies.conditions import MEASURED, Condition, Retrained

Row = dict[str, Any]
COSTS = ("numel", "feature_bytes", "head_macs", "tail_macs", "head_params")
RANKED = ("cui", "probe")  # predictors whose ranks stand beside the points


def of_point(condition: Condition, position: int) -> str:
    """What a mark in a figure says of a split point, a line each.

    Layer, shape, bytes, accuracies and ranks.
    """
    point, total = condition.points[position], len(condition.points)
    lines = [
        f"{point.label} ({point.index}), {point.name}",
        f"{' x '.join(map(str, point.shape))}, {point.feature_bytes:,} bytes",
        f"head {point.head_macs / 1e6:,.1f} M MACs",
    ]
    for trained in condition.retrained:
        if trained.position == position:
            error = accuracy_error(trained, condition.test_images)
            lines += [
                f"accuracy {trained.accuracy:.3f} ± {error:.3f}",
                f"unsplit {condition.baseline_accuracy:.3f}",
                f"payload {trained.results[0].cost.payload_bytes:,} bytes",
            ]
    ranked = [(kind, condition.curves[kind]) for kind in RANKED if kind in condition.curves]
    return "; ".join([*lines, *(f"rank by {k} {c.rank(position)} of {total}" for k, c in ranked)])


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
    each = trained.accuracies if trained else []
    several = len(each) > 1
    return {
        "index": point.index,
        "layer": point.name,
        "label": point.label,
        "shape": _sizes(point.shape),
        **{name: getattr(point, name) for name in COSTS},
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
