"""Tables of the report: what stands in them, row by row; the page makes them sortable."""

from __future__ import annotations

import math

from isplit.analysis.findings import (
    Condition,
    Leaderboard,
    PredictorScore,
    Retrained,
    Standing,
)
from isplit.report.cells import NOTHING, Cell, Grid, number, with_interval
from isplit.report.figures.accuracy import spread
from isplit.report.figures.classes import highest_peak
from isplit.report.figures.f1 import shown_split, split_f1
from isplit.types import SplitPoint

CI95 = "[95\N{NO-BREAK SPACE}%]"

ARCHITECTURE = ("index", "split point", "module", "shape", "features (bytes)", "head (10⁶ MACs)")
MEASUREMENT = ("accuracy", "±", "before fine-tuning", "payload (bytes)", "bottleneck NMSE")
SCORE = (
    "N",
    *(f"{name} {CI95}" for name in ("Spearman", "Kendall", "Pearson")),
    *("Spearman p", "given depth", "equal size", "pick"),
    *("regret (points)", "regret of top 3 (points)", "top 3 hits"),
)
STANDING = (
    *("predictor", "conditions", "trains", f"mean Spearman {CI95}", "lowest", "highest"),
    *(f"above cui {CI95}", "beats cui", "regret (points)", "of the ceiling"),
)


def points_grid(condition: Condition) -> Grid:
    """A row for each split point: what it is, what it costs, what was measured there."""
    trained = {t.position: t for t in condition.retrained}
    kinds = [kind for kind in ("cui", "probe") if kind in condition.curves]
    rows = []
    for position, point in enumerate(condition.points):
        ranks = [number(condition.curves[kind].rank(position), "d") for kind in kinds]
        measured = _measured(trained.get(position), condition.test_images)
        rows.append((*_architecture(point), *ranks, *measured))
    return Grid(
        "Split points",
        (*ARCHITECTURE, *(f"{kind}: rank" for kind in kinds), *MEASUREMENT),
        tuple(rows),
        "Rank 1: where the predictor expects most, of all points. Accuracy: on the test images "
        "after fine-tuning, the mean where there were several trainings; ±: their standard "
        "deviation, of a single one the binomial standard error. NMSE: squared error of the "
        "reconstructed features over their variance.",
    )


def predictors_grid(condition: Condition) -> Grid | None:
    """A row for each predictor: how its order agrees with the measured one, and its cost."""
    if condition.agreement is None:
        return None
    scores = condition.agreement.predictors
    names = sorted(scores, key=lambda n: -_known(scores[n].spearman))
    return Grid(
        f"Predictors, N={condition.agreement.n} trained points",
        ("predictor", *SCORE, "cost"),
        tuple((Cell(n), *_score(scores[n]), _cost(condition, n)) for n in names),
        "Given depth: Spearman with the index of the point partialled out. Equal size: among "
        "points of equally many feature elements. Regret: accuracy of the best point minus that "
        "of the pick, in percentage points. Cost: images, passes over the whole net, training.",
    )


def classes_grid(condition: Condition) -> Grid | None:
    """A row for each class: F1 before and after the split, and where its own curve peaks."""
    if not condition.retrained:
        return None
    shown = shown_split(condition)
    after, peak = split_f1(shown), class_peaks(condition)
    label = condition.points[shown.position].label
    rows = tuple(
        (Cell(name), number(b), number(a), number(a - b, "+.3f"), Cell(peak.get(name, NOTHING)))
        for name, b, a in zip(condition.class_names, condition.baseline_f1, after, strict=True)
    )
    columns = ("class", "F1 unsplit", f"F1 split at {label}", "difference", "cui peaks at")
    return Grid("Classes", columns, rows, "F1 on the test images.")


def leaderboard_grid(leaderboard: Leaderboard) -> Grid:
    """A row for each predictor: its rank correlation over and in the conditions."""
    short = [f"C{k}" for k in range(1, len(leaderboard.conditions) + 1)]
    names = "; ".join(f"{c}: {n}" for c, n in zip(short, leaderboard.conditions, strict=True))
    rows = tuple(
        (*_standing(s), *(number(r, ".2f") for r in leaderboard.spearman[s.predictor]))
        for s in leaderboard.standings
    )
    return Grid(
        f"Leaderboard over {len(leaderboard.conditions)} conditions",
        (*STANDING, *short),
        rows,
        f"Spearman rank correlation with the measured accuracy, by condition. {names}.",
    )


def class_peaks(condition: Condition) -> dict[str, str]:
    """Label of the point at which each class's own CUI has its highest peak."""
    cui = condition.curves.get("cui")
    if cui is None:
        return {}
    peaks = {name: highest_peak(cui, values) for name, values in cui.per_class.items()}
    return {name: condition.points[p].label for name, p in peaks.items()}


def shape_of(point: SplitPoint) -> str:
    """The features' shape for people."""
    return " x ".join(map(str, point.shape))


def _architecture(point: SplitPoint) -> tuple[Cell, ...]:
    return (
        number(point.index, "d"),
        Cell(point.label),
        Cell(point.name),
        Cell(shape_of(point), point.numel),
        number(point.feature_bytes, ",d"),
        Cell(f"{point.head_macs / 1e6:,.1f}", point.head_macs),
    )


def _measured(trained: Retrained | None, test_images: int) -> tuple[Cell, ...]:
    if trained is None:
        return (Cell("not trained"), *[Cell(NOTHING)] * 4)
    return (
        number(trained.accuracy),
        number(spread(trained, test_images)),
        number(trained.after_autoencoder),
        number(trained.results[0].cost.payload_bytes, ",d"),
        number(trained.reconstruction_nmse),
    )


def _score(score: PredictorScore) -> tuple[Cell, ...]:
    return (
        number(score.n, "d"),
        with_interval(score.spearman, score.spearman_ci95),
        with_interval(score.kendall, score.kendall_ci95),
        with_interval(score.pearson, score.pearson_ci95),
        number(score.spearman_p, ".4f"),
        number(score.spearman_given_depth, ".2f"),
        number(score.spearman_equal_size, ".2f"),
        Cell(score.pick),
        number(score.regret, ".1f", 100),
        number(score.regret_top3, ".1f", 100),
        number(score.top3_hits, "d"),
    )


def _standing(s: Standing) -> tuple[Cell, ...]:
    return (
        Cell(s.predictor),
        number(s.conditions, "d"),
        Cell("yes" if s.trains else "no"),
        with_interval(s.mean_spearman, s.mean_spearman_ci95),
        number(s.lowest, ".2f"),
        number(s.highest, ".2f"),
        with_interval(s.above_cui, s.above_cui_ci95),
        Cell(f"{s.beats_cui} of {s.against_cui}", s.beats_cui),
        number(s.mean_regret, ".1f", 100),
        number(s.share_of_ceiling, ".2f"),
    )


def _cost(condition: Condition, name: str) -> Cell:
    if name not in condition.costs:
        return Cell("training of every bottleneck" if condition.trains(name) else NOTHING)
    cost = condition.costs[name]
    counted = {
        "images": cost.images,
        "forward": cost.forward,
        "backward": cost.backward,
        "steps": cost.training_steps,
    }
    text = ", ".join(f"{count:,g} {what}" for what, count in counted.items() if count)
    return Cell(text or "none", cost.images * (cost.forward + cost.backward))


def _known(value: float) -> float:
    return -math.inf if math.isnan(value) else value
