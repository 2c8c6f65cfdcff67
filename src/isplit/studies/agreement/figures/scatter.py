"""Each predictor's ranking against the measured accuracy."""

import math
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isplit.report.canvas import ACCENT, DARK, INK, mark, plain
from isplit.studies.agreement.agreement import predictor_values, ranking
from isplit.studies.agreement.points import of_point
from isplit.studies.conditions import Condition
from isplit.studies.scores import PredictorScore, or_least

PANELS_AT_MOST, COLUMNS = 12, 3


def scatter_figure(condition: Condition) -> Figure | None:
    """A panel for each predictor: its rank of a trained point against the accuracy measured there.

    Always the one that the runs were ranked by, ``cui`` and ``depth``, then the best by Spearman,
    up to twelve; N, rho and its interval stand above each. Ringed: the highest value; squared: what
    auto takes. ``None`` without an agreement.
    """
    if condition.agreement is None:
        return None
    scores = condition.agreement.predictors
    always = [n for n in dict.fromkeys((condition.ranked_by, "cui", "depth")) if n in scores]
    best = sorted(scores, key=lambda name: or_least(scores[name].spearman), reverse=True)
    names = list(dict.fromkeys([*always, *best]))[:PANELS_AT_MOST]
    columns = min(COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(3.0 * columns + 0.4, 2.4 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
    values = predictor_values(condition)
    for number, (name, axes) in enumerate(zip(names, panels, strict=False)):
        _panel(axes, condition, values[name], scores[name].auto)
        axes.set_title(scored(name, scores[name]), fontsize=9, loc="left")
        axes.tick_params(labelbottom=number + columns >= len(names))
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel(
        "rank among the trained points (1: the highest value, ringed; squared: auto)", fontsize=10
    )
    figure.supylabel("test accuracy (0 to 1)", fontsize=10)
    return figure


def scored(name: str, score: PredictorScore) -> str:
    """The predictor with its rank correlation, N and interval: never one without the others."""
    if math.isnan(score.spearman):
        return f"{name}\nN={score.n}, rho not defined"
    low, high = score.spearman_ci95
    return f"{name}\nN={score.n}, rho={score.spearman:.2f} [{low:.2f}, {high:.2f}]"


def _panel(axes: Axes, condition: Condition, values: Mapping[int, float], auto: str) -> None:
    ranked = ranking(condition, values)
    accuracies = [trained.accuracy for trained in ranked]
    axes.plot(range(1, len(ranked) + 1), accuracies, "o", color=DARK, markersize=5)
    axes.plot([1][: len(ranked)], accuracies[:1], "o", ms=11, mfc="none", mec=ACCENT, mew=1.8)
    for rank, trained in enumerate(ranked, start=1):
        mark(axes, rank, trained.accuracy, of_point(condition, trained.position))
        if condition.points[trained.position].label == auto:
            axes.plot([rank], [trained.accuracy], "s", ms=11, mfc="none", mec=INK, mew=1.2)
    axes.axhline(condition.baseline_accuracy, color="black", linewidth=0.8, linestyle=":")
    plain(axes, "both")
