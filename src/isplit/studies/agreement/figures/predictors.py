"""The predictors against the measured accuracy: in a condition, and over all of them."""

import math
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isplit.report.canvas import ACCENT, DARK, GRID, INK, PALE, legend_below, mark, plain
from isplit.studies.agreement.agreement import predictor_values, ranking
from isplit.studies.agreement.points import of_point
from isplit.studies.agreement.verdict import estimate
from isplit.studies.conditions import Condition
from isplit.studies.scores import Leaderboard, PredictorScore, or_least

PANELS_AT_MOST, COLUMNS = 12, 3
PREDICTORS_AT_MOST = 40


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
    return f"{name}\nN={score.n}, rho={estimate(score.spearman, score.spearman_ci95)}"


def leaderboard_figure(leaderboard: Leaderboard) -> Figure | None:
    """A row for each predictor: mean Spearman, the range over the conditions, each condition.

    The noise ceiling is what a perfect predictor would come to; open marks need training. ``None``
    where no predictor has a rank correlation.
    """
    standings = [s for s in leaderboard.standings if not math.isnan(s.mean_spearman)]
    standings = standings[:PREDICTORS_AT_MOST]
    if not standings:
        return None
    figure = Figure(figsize=(8.0, 1.8 + 0.28 * len(standings)), layout="constrained")
    axes = figure.add_subplot()
    for row, s in enumerate(standings):
        axes.plot([s.lowest, s.highest], [row, row], color=GRID, linewidth=7, zorder=1)
        each = leaderboard.spearman[s.predictor]
        axes.plot(each, [row] * len(each), "|", color=PALE, markersize=9, zorder=2)
        fill = "white" if s.trains else DARK
        axes.plot([s.mean_spearman], [row], "o", mfc=fill, mec=DARK, mew=1.6, ms=7, zorder=3)
        said = f"{s.predictor}: mean rho {s.mean_spearman:.2f}, {s.lowest:.2f} to {s.highest:.2f}"
        mark(axes, s.mean_spearman, row, f"{said}, above cui in {s.beats_cui} of {s.against_cui}")
    if leaderboard.ceiling is not None:
        name = f"noise ceiling of one training: {leaderboard.ceiling:.2f}"
        axes.axvline(leaderboard.ceiling, color=ACCENT, linestyle="--", label=name)
    axes.axvline(0, color="black", linewidth=0.8)
    names = [f"{s.predictor}  ({s.conditions})" for s in standings]
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("rank correlation with the measured accuracy (1: the same order)")
    count = len(leaderboard.conditions)
    title = f"how well each predictor orders the split points, {count} conditions"
    axes.set_title(title, loc="left")
    plain(axes, "x")
    _legend(figure)
    return figure


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


def _legend(figure: Figure) -> None:
    """What the marks mean, from marks without data."""
    axes = figure.axes[0]
    axes.plot([], [], "o", color=DARK, label="mean, nothing trained")
    axes.plot([], [], "o", mfc="white", mec=DARK, mew=1.6, label="mean, needs training")
    axes.plot([], [], "|", color=PALE, markersize=9, label="one condition")
    axes.plot([], [], color=GRID, linewidth=7, label="lowest to highest")
    legend_below(figure)
