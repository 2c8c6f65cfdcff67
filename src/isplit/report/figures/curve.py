"""One importance curve over the split points, with its candidates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from isplit.importance.curves import cut_distil_encode
from isplit.report.figures.canvas import (
    ACCENT,
    DARK,
    INK,
    PALE,
    legend_below,
    name_points,
    over_points,
    save,
)
from isplit.types import Curve

AXIS_NAMES = {
    "cui": "CUI (log scale, arbitrary unit)",
    "gradient": "gradient importance (log scale, arbitrary unit)",
    "cde": "minus ln(number of feature elements)",
    "size": "minus ln(number of feature elements)",
    "depth": "index of the split point",
}
ON_LOG_SCALE = ("cui", "gradient")
CDE_HEIGHT = 0.025  # part of the axis


def curve_figure(
    curve: Curve,
    chosen: Sequence[int],
    path: Path,
    accuracies: Mapping[int, float] | None = None,
    baseline: float | None = None,
) -> list[Path]:
    """The curve over the split points as ``path`` + ``.png`` and ``.svg``; gives the two files.

    Marks the peaks, the candidates of CDE and the ``chosen`` positions. ``cui`` and ``gradient``
    stand on a log10 axis, on which a zero is a gap with a dotted line.

    Args:
        curve: of any kind.
        chosen: positions of the points the user splits at.
        path: without a suffix.
        accuracies: accuracy measured after the split, 0..1, by position: on a second axis.
        baseline: accuracy of the unsplit model: a line beside them.
    """
    figure = over_points(curve.points)
    axes = figure.add_subplot()
    draw_curve(axes, curve, chosen)
    name_points(axes, curve.points)
    if accuracies:
        _draw_accuracies(axes, accuracies, baseline)
    axes.set_title(curve_title(curve), loc="left")
    legend_below(figure)
    return save(figure, path)


def curve_title(curve: Curve) -> str:
    """What the curve is and what it was made from."""
    images = f", {curve.num_images} images" if curve.num_images else ""
    return f"{curve.kind} of {len(curve.points)} split points{images}"


def draw_curve(axes: Axes, curve: Curve, chosen: Sequence[int] = ()) -> None:
    """The values with a log axis where they need one, peaks, candidates of CDE, ``chosen``."""
    values = list(curve.values)
    if curve.kind in ON_LOG_SCALE and max(values) > 0:
        axes.set_yscale("log")
        zeros = [p for p, value in enumerate(values) if value <= 0]
        values = without_zeros(values)
        for p in zeros:
            name = "zero: no place on a log scale" if p == zeros[0] else "_"
            axes.axvline(p, color=PALE, linestyle=":", label=name)
    axes.plot(range(len(values)), values, "-o", color=DARK, markersize=4, label=curve.kind)
    if curve.marked is None:
        peaks = curve.peaks()
        _mark(axes, peaks, [values[p] for p in peaks])
    _mark_shrinking(axes, curve)
    _ring(axes, list(chosen), [values[p] for p in chosen])
    axes.set_ylabel(AXIS_NAMES.get(curve.kind, curve.kind))


def without_zeros(values: Sequence[float]) -> list[float]:
    """The values, with a gap (NaN) for what has no place on a log scale."""
    return [value if value > 0 else math.nan for value in values]


def _mark(axes: Axes, positions: Sequence[int], at: Sequence[float]) -> None:
    if positions:
        axes.scatter(
            positions,
            at,
            s=80,
            marker="^",
            color=DARK,
            edgecolors="white",
            zorder=3,
            label="peak",
        )


def _mark_shrinking(axes: Axes, curve: Curve) -> None:
    """CDE's candidates, as squares along the lower edge: they have no height of their own."""
    positions = cut_distil_encode(curve.points).marked
    if positions:
        edge = axes.get_xaxis_transform()
        name = "smaller than the point before (CDE)"
        heights = [CDE_HEIGHT] * len(positions)
        axes.scatter(positions, heights, s=26, marker="s", color=PALE, transform=edge, label=name)


def _ring(axes: Axes, positions: Sequence[int], at: Sequence[float]) -> None:
    """A ring, so that the mark inside stays visible."""
    if positions:
        axes.scatter(
            positions,
            at,
            s=260,
            facecolors="none",
            edgecolors=ACCENT,
            linewidths=2.2,
            label="chosen",
        )


def _draw_accuracies(axes: Axes, accuracies: Mapping[int, float], baseline: float | None) -> None:
    right = axes.twinx()
    right.plot(
        list(accuracies),
        list(accuracies.values()),
        "D:",
        color=INK,
        linewidth=1,
        label="measured accuracy (right)",
    )
    for position, accuracy in accuracies.items():
        right.annotate(
            f"{accuracy:.3f}",
            (position, accuracy),
            xytext=(7, -3),
            textcoords="offset points",
            fontsize=8,
            color=INK,
        )
    if baseline is not None:
        right.axhline(baseline, color=INK, linewidth=1, label=f"unsplit: {baseline:.3f}")
    right.margins(y=0.12)  # room for the marks and the line of the unsplit model
    right.set_ylabel("test accuracy (0 to 1)")
    right.spines["top"].set_visible(False)
