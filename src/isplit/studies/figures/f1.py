"""F1 of each class before and after the split: I-SPLIT Fig. 5."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isplit.report.canvas import ACCENT, DARK, PALE, legend_below, mark, plain, shortened
from isplit.studies.conditions import Condition, shown_split, split_f1

NAMED_CLASSES = 40  # more than this: a curve over ranks instead of a row for each class
NAMED_CHANGES = 3  # the largest
NAME_BESIDE: dict[str, Any] = {
    "xytext": (5, -9),
    "textcoords": "offset points",
    "fontsize": 7.5,
    "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
    "zorder": 4,
}


def f1_figure(condition: Condition) -> Figure | None:
    """F1 of each class, unsplit and split, sorted by F1 of the unsplit model.

    The split is the one that ``split.layer=auto`` takes by the CUI, of those that were trained.
    ``None`` where nothing was trained.
    """
    if not condition.retrained:
        return None
    shown = shown_split(condition)
    before, after = condition.baseline_f1, split_f1(shown)
    order = sorted(range(len(before)), key=lambda c: -before[c])
    draw = _rows if len(order) <= NAMED_CLASSES else _curve
    figure = draw(condition.class_names, order, before, after)
    axes = figure.axes[0]
    label = condition.points[shown.position].label
    axes.set_title(f"F1 of {len(order)} classes, unsplit and split at {label}", loc="left")
    legend_below(figure)
    return figure


def _rows(
    names: Sequence[str], order: Sequence[int], before: Sequence[float], after: Sequence[float]
) -> Figure:
    """A row for each class, a line from its F1 before to its F1 after."""
    figure = Figure(figsize=(7.0, 2.0 + 0.22 * len(order)), layout="constrained")
    axes = figure.add_subplot()
    rows = range(len(order))
    axes.hlines(rows, [before[c] for c in order], [after[c] for c in order], color=PALE)
    _marks(axes, ([before[c] for c in order], rows), ([after[c] for c in order], rows))
    for row, c in enumerate(order):
        mark(axes, after[c], row, _says(names[c], before[c], after[c]))
    axes.set_yticks(rows, [shortened(names[c]) for c in order], fontsize=8.5)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlabel("F1 on the test images (0 to 1)")
    plain(axes, "both")
    return figure


def _curve(
    names: Sequence[str], order: Sequence[int], before: Sequence[float], after: Sequence[float]
) -> Figure:
    """The classes by rank; where many stand, only those that change most are named."""
    figure = Figure(figsize=(9.0, 4.8), layout="constrained")
    axes = figure.add_subplot()
    ranks = range(1, len(order) + 1)
    axes.vlines(ranks, [before[c] for c in order], [after[c] for c in order], color=PALE, lw=0.8)
    _marks(axes, (ranks, [before[c] for c in order]), (ranks, [after[c] for c in order]), 12)
    changes = sorted(order, key=lambda c: -abs(after[c] - before[c]))[:NAMED_CHANGES]
    for rank, c in zip(ranks, order, strict=True):
        if c in changes:
            axes.annotate(shortened(names[c]), (rank, after[c]), **NAME_BESIDE)
        mark(axes, rank, after[c], _says(names[c], before[c], after[c]))
    axes.set_xlabel("classes, by F1 of the unsplit model")
    axes.set_ylabel("F1 on the test images (0 to 1)")
    axes.set_xlim(0, len(order) + 1)
    plain(axes)
    return figure


def _says(name: str, before: float, after: float) -> str:
    return f"{name}: F1 {before:.3f} unsplit, {after:.3f} split"


def _marks(
    axes: Axes,
    before: tuple[Sequence[float], Sequence[float]],
    after: tuple[Sequence[float], Sequence[float]],
    size: int = 26,
) -> None:
    """Both as x and y."""
    axes.scatter(*before, s=size, color=DARK, label="unsplit", zorder=2)
    open_ones: dict[str, Any] = {"marker": "D", "facecolor": "white", "edgecolor": ACCENT}
    axes.scatter(*after, s=size, label="split", zorder=3, **open_ones)
