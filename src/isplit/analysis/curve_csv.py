"""``curve.csv``: what was predicted and what was measured, a row per split point."""

from __future__ import annotations

import math

from isplit.analysis.findings import MEASURED, Condition, Retrained
from isplit.files import csv_text
from isplit.types import SplitPoint

Cell = str | int | float | None


def curve_csv(condition: Condition) -> str:
    """A row per split point, from the input on; empty where nothing was measured.

    Columns: the point and its costs (bytes of one image's features and of its code as float32,
    multiply-accumulates, parameters), every predictor's value under its name, then test accuracy:
    the mean over the point's trainings, their lowest and highest where there are several, their
    number, and that of the unsplit model. Floats are written in full, so that the agreement can be
    recomputed from this file to the last digit.
    """
    retrained = {r.position: r for r in condition.retrained}
    rows: list[dict[str, Cell]] = [
        _of_point(point)
        | _of_code(retrained.get(position))
        | {name: curve.values[position] for name, curve in condition.curves.items()}
        | _of_training(retrained.get(position))
        | {"baseline_accuracy": condition.baseline_accuracy}
        for position, point in enumerate(condition.points)
    ]
    return csv_text(rows[0], ([_cell(value) for value in row.values()] for row in rows))


def _of_point(point: SplitPoint) -> dict[str, Cell]:
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
    }


def _of_code(retrained: Retrained | None) -> dict[str, Cell]:
    if retrained is None:
        return {"payload_bytes": None, "code_shape": None}
    first = retrained.results[0]
    return {
        "payload_bytes": first.cost.payload_bytes,
        "code_shape": _sizes(first.bottleneck.code_shape),
    }


def _of_training(retrained: Retrained | None) -> dict[str, Cell]:
    if retrained is None:
        nothing = (*MEASURED, "accuracy", "accuracy_min", "accuracy_max")
        return dict.fromkeys(nothing) | {"trainings": 0}
    each = [result.accuracy.after_finetune for result in retrained.results]
    several = len(each) > 1
    measured: dict[str, Cell] = {name: of(retrained) for name, of in MEASURED.items()}
    return measured | {
        "accuracy": retrained.accuracy,
        "accuracy_min": min(each) if several else None,
        "accuracy_max": max(each) if several else None,
        "trainings": len(each),
    }


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _cell(value: Cell) -> Cell:
    """As it is written: floats in full, nothing for what is missing or not finite."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return value
