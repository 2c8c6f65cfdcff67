"""What the report says about a mark in a figure that a pointer is over."""

from __future__ import annotations

from isplit.analysis.findings import Condition, Leaderboard, Standing
from isplit.report.cells import number, with_interval
from isplit.report.figures.accuracy import spread
from isplit.report.figures.f1 import shown_split, split_f1
from isplit.report.grids import class_peaks, shape_of

Tip = list[list[str]]
"""A heading alone, then pairs of name and value."""


def condition_tips(condition: Condition) -> dict[str, Tip]:
    """By key of the mark (``point-3``, ``class-17``): layer, shape, bytes, accuracies, ranks."""
    points = {f"point-{p}": _point(condition, p) for p in range(len(condition.points))}
    return points | (_classes(condition) if condition.class_names else {})


def leaderboard_tips(leaderboard: Leaderboard) -> dict[str, Tip]:
    """By key of the mark (``predictor-2``): the predictor's standing."""
    return {f"predictor-{row}": _standing(s) for row, s in enumerate(leaderboard.standings)}


def _point(condition: Condition, position: int) -> Tip:
    point = condition.points[position]
    tip = [
        [f"{point.label} ({point.index})"],
        ["module", point.name],
        ["shape", shape_of(point)],
        ["features", f"{point.feature_bytes:,} bytes"],
        ["head", f"{point.head_macs / 1e6:,.1f} 10⁶ MACs"],
    ]
    for trained in condition.retrained:
        if trained.position == position:
            error = spread(trained, condition.test_images)
            tip += [
                ["payload", f"{trained.results[0].cost.payload_bytes:,} bytes"],
                ["accuracy", f"{trained.accuracy:.3f} ± {error:.3f}"],
                ["before fine-tuning", f"{trained.after_autoencoder:.3f}"],
                ["unsplit", f"{condition.baseline_accuracy:.3f}"],
            ]
    ranks = {kind: condition.curves[kind] for kind in ("cui", "probe") if kind in condition.curves}
    count = len(condition.points)
    return tip + [[f"rank by {k}", f"{c.rank(position)} of {count}"] for k, c in ranks.items()]


def _classes(condition: Condition) -> dict[str, Tip]:
    peaks = class_peaks(condition)
    after = split_f1(shown_split(condition)) if condition.retrained else []
    tips = {}
    for c, name in enumerate(condition.class_names):
        tip = [[name], ["F1 unsplit", f"{condition.baseline_f1[c]:.3f}"]]
        tip += [["F1 split", f"{value:.3f}"] for value in after[c : c + 1]]
        tip += [["cui peaks at", peaks[name]]] if name in peaks else []
        tips[f"class-{c}"] = tip
    return tips


def _standing(s: Standing) -> Tip:
    return [
        [s.predictor],
        ["mean Spearman", with_interval(s.mean_spearman, s.mean_spearman_ci95).text],
        ["range", f"{s.lowest:.2f} to {s.highest:.2f}"],
        ["conditions", str(s.conditions)],
        ["above cui in", f"{s.beats_cui} of {s.against_cui}"],
        ["mean regret", f"{number(s.mean_regret, '.1f', 100).text} points"],
        ["needs training", "yes" if s.trains else "no"],
    ]
