"""All predictors over all conditions."""

import math

from matplotlib.figure import Figure

from isplit.report.canvas import ACCENT, DARK, GRID, PALE, legend_below, mark, plain
from isplit.studies.scores import Leaderboard

PREDICTORS_AT_MOST = 40


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
    axes.set_xlabel("rank correlation with the measured accuracy")
    axes.set_title(f"predictors over {len(leaderboard.conditions)} conditions", loc="left")
    plain(axes, "x")
    _legend(figure)
    return figure


def _legend(figure: Figure) -> None:
    """What the marks mean, from marks without data."""
    axes = figure.axes[0]
    axes.plot([], [], "o", color=DARK, label="mean, nothing trained")
    axes.plot([], [], "o", mfc="white", mec=DARK, mew=1.6, label="mean, needs training")
    axes.plot([], [], "|", color=PALE, markersize=9, label="one condition")
    axes.plot([], [], color=GRID, linewidth=7, label="lowest to highest")
    legend_below(figure)
