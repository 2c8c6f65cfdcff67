"""What was predicted and what was measured, as tables: split points, predictors, classes."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from isplit.report.table import NOTHING, Column, Estimate, Table
from isplit.studies.agreement.noise import accuracy_error
from isplit.studies.conditions import (
    MEASURED,
    Condition,
    Retrained,
    peak_of_each_class,
    shown_split,
    split_f1,
)
from isplit.studies.scores import PredictorScore

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
PREDICTORS = (
    Column("predictor", screen=1),
    Column("n", "N"),
    Column("spearman", "rho [95\N{NO-BREAK SPACE}%]", form="+.2f", screen=2),
    Column("auto", "auto", screen=3),
    Column("auto_regret", "auto loses", "points", ".1f", 100, screen=4),
    Column("pick", "highest value", screen=6),
    Column("regret", "it loses", "points", ".1f", 100, screen=5),
    Column("regret_top3", "best of 3 loses", "points", ".1f", 100, screen=7),
    Column("top3_hits", "top 3 hits"),
    Column("kendall", "Kendall [95\N{NO-BREAK SPACE}%]", form="+.2f", screen=8),
    Column("pearson", "Pearson [95\N{NO-BREAK SPACE}%]", form="+.2f"),
    Column("spearman_p", "Spearman p", form=".4f"),
    Column("spearman_given_depth", "given depth", form=".2f"),
    Column("spearman_equal_size", "equal size", form=".2f"),
    Column("cost", form=lambda cost: cost[0], sort=lambda cost: cost[1]),
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
        rows.append(row | ranks | {"shape": shape, "accuracy_error": error or None})
    known = {key for row in rows for key in row}
    return Table(
        "Split points",
        [column for column in POINTS if column.key in known],
        rows,
        "Rank 1: where the predictor expects most, of all points. Accuracy: on the test images "
        "after fine-tuning, the mean where there were several trainings; ±: their standard "
        "deviation, of a single one the binomial standard error. NMSE: squared error of the "
        "reconstructed features over their variance. No accuracy: not trained.",
    )


def predictors_table(condition: Condition) -> Table | None:
    """A row for each predictor, the best first: how its order agrees, what its choices lose."""
    if condition.agreement is None:
        return None
    scores = condition.agreement.predictors
    names = sorted(scores, key=lambda n: -_or_least(scores[n].spearman))
    return Table(
        f"Predictors over N={condition.agreement.n} trained points",
        PREDICTORS,
        [{"predictor": n} | _score(scores[n]) | {"cost": _cost(condition, n)} for n in names],
        "rho: Spearman's rank correlation with the measured accuracy. auto: the highest interior "
        "peak, which split.layer=auto takes. Loses: against the most accurate point.",
        on_screen=True,
    )


def classes_table(condition: Condition) -> Table | None:
    """A row for each class: F1 before and after the split, and where its own curve peaks."""
    if not condition.retrained:
        return None
    shown, cui = shown_split(condition), condition.curves.get("cui")
    peaks = {} if cui is None else peak_of_each_class(cui)
    labels = [point.label for point in condition.points]
    columns = (
        Column("class"),
        Column("f1_unsplit", "F1 unsplit", form=".3f"),
        Column("f1_split", f"F1 split at {labels[shown.position]}", form=".3f"),
        Column("difference", form="+.3f"),
        Column("peak", "cui peaks at"),
    )
    f1 = zip(condition.class_names, condition.baseline_f1, split_f1(shown), strict=True)
    rows = [
        {"class": name, "f1_unsplit": before, "f1_split": after, "difference": after - before}
        | {"peak": labels[peaks[name]] if name in peaks else None}
        for name, before, after in f1
    ]
    return Table("Classes", columns, rows, "F1 on the test images.")


def curve_rows(condition: Condition) -> Table:
    """``curve.csv``: a row per split point, from the input on; empty where nothing was measured.

    Columns: the point and its costs (bytes of one image's features and of its code as float32,
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


def _row(condition: Condition, position: int, trained: Retrained | None) -> Row:
    point = condition.points[position]
    first = trained and trained.results[0]
    each = [result.accuracy.after_finetune for result in trained.results] if trained else []
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
        "code_shape": first and _sizes(first.bottleneck.code_shape),
        **{name: curve.values[position] for name, curve in condition.curves.items()},
        **{name: trained and of(trained) for name, of in MEASURED.items()},
        "accuracy": trained and trained.accuracy,
        "accuracy_min": min(each) if several else None,
        "accuracy_max": max(each) if several else None,
        "trainings": len(each),
        "baseline_accuracy": condition.baseline_accuracy,
    }


def _score(score: PredictorScore) -> Row:
    """Its fields, the coefficients with their intervals."""
    row = asdict(score)
    for name in ("spearman", "kendall", "pearson"):
        row[name] = Estimate(row[name], *row[f"{name}_ci95"])
    return row


def _cost(condition: Condition, name: str) -> tuple[str, float]:
    """In words, and by what it sorts."""
    if name not in condition.costs:
        return "training of every bottleneck" if condition.trains(name) else NOTHING, math.inf
    cost = condition.costs[name]
    counts = (cost.images, cost.forward, cost.backward, cost.training_steps)
    pairs = zip(counts, ("images", "forward", "backward", "steps"), strict=True)
    text = ", ".join(f"{count:,g} {what}" for count, what in pairs if count)
    return text or "none", cost.images * (cost.forward + cost.backward)


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _or_least(value: float) -> float:
    return -math.inf if math.isnan(value) else value
