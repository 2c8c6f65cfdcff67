"""One importance curve over the split points, with its candidates."""

import math
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isplit.importance import SAID, auto_rule, taken
from isplit.importance.curve import Curve
from isplit.importance.curves import cut_distil_encode
from isplit.report.canvas import ACCENT, DARK, INK, PALE, legend_below, log_scale, over_points

AXIS_NAMES = {
    "cui": "CUI (log scale, arbitrary unit)",
    "gradient": "gradient importance (log scale, arbitrary unit)",
    "cde": "minus ln(number of feature elements)",
    "size": "minus ln(number of feature elements)",
    "depth": "index of the split point",
}
ON_LOG_SCALE = ("cui", "gradient")
LETTERS_PER_INCH = 10  # of a title
CDE_HEIGHT = 0.025  # part of the axis: CDE's candidates have no height of their own


def curve_figure(
    curve: Curve,
    chosen: Sequence[int],
    title: str,
    accuracies: Mapping[int, float] | None = None,
    baseline: float | None = None,
    auto: int | None = None,
) -> Figure:
    """The curve over the split points, with its peaks, CDE's candidates and the ``chosen``.

    ``cui`` and ``gradient`` stand on a log10 axis, on which a zero is a gap with a dotted line.
    What auto takes and what has the highest value stand below, and why they differ.

    Args:
        curve: of any kind.
        chosen: positions of the points the user splits at.
        title: the answer, once there is one.
        accuracies: accuracy measured after the split, 0..1, by position: on a second axis.
        baseline: accuracy of the unsplit model: a line beside them.
        auto: position that auto takes within the limits; ``None``: there are none.
    """
    figure, axes = over_points(curve.points)
    draw_curve(axes, curve, chosen, auto)
    if accuracies:
        _draw_accuracies(axes, accuracies, baseline)
    width = int(figure.get_figwidth() * LETTERS_PER_INCH)
    axes.set_title("\n".join(wrap(title, width)), loc="left", fontsize=10)
    legend_below(figure, columns=2)
    return figure


def draw_curve(
    axes: Axes, curve: Curve, chosen: Sequence[int] = (), auto: int | None = None
) -> None:
    """The values with a log axis where they need one, peaks, candidates of CDE, ``chosen``."""
    values = list(curve.values)
    if curve.kind in ON_LOG_SCALE and max(values) > 0:
        log_scale(axes)
        zeros = [p for p, value in enumerate(values) if value <= 0]
        values = without_zeros(values)
        for p in zeros:
            name = "zero: no place on a log scale" if p == zeros[0] else "_"
            axes.axvline(p, color=PALE, linestyle=":", label=name)
    axes.plot(range(len(values)), values, "-o", color=DARK, markersize=4, label=curve.kind)
    if curve.marked is None:
        peaks = curve.peaks()
        _scatter(axes, peaks, values, "peak", marker="^", s=80, color=DARK, edgecolors="white")
    edge, name = axes.get_xaxis_transform(), "smaller than the point before (CDE)"
    shrinking = dict.fromkeys(cut_distil_encode(curve.points).marked or (), CDE_HEIGHT)
    _scatter(axes, [*shrinking], shrinking, name, s=26, marker="s", color=PALE, transform=edge)
    ring = {"facecolors": "none", "edgecolors": ACCENT, "linewidths": 2.2}
    _scatter(axes, chosen, values, "chosen", s=260, **ring)
    highest = curve.ranking()[0]
    auto = taken(curve, "auto")[0] if auto is None else auto
    takes, passes = auto_and_highest(curve, auto)
    _scatter(axes, [auto], values, takes, marker="s", s=130, facecolors="none", edgecolors=INK)
    _scatter(axes, [highest], values, passes.replace(", ", ",\n"), marker="x", s=70, color=INK)
    axes.set_ylabel(AXIS_NAMES.get(curve.kind, curve.kind))


def accuracy_axis(axes: Axes, unsplit: float | None) -> None:
    """Name and room of an axis of accuracies on the right, with a line for the unsplit model."""
    if unsplit is not None:
        axes.axhline(unsplit, color=INK, linewidth=1, label=f"unsplit: {unsplit:.3f} (right)")
    axes.margins(y=0.12)
    axes.set_ylabel("test accuracy (0 to 1)")
    axes.spines["top"].set_visible(False)


def auto_and_highest(curve: Curve, auto: int) -> tuple[str, str]:
    """What auto takes by the curve and by which rule, and why not the point of highest value.

    Args:
        auto: position of what auto takes.
    """
    takes, highest = curve.points[auto], curve.points[curve.ranking()[0]]
    rule = auto_rule(curve.kind)
    as_ruled = auto in curve.peaks() if rule == "peak" else takes == highest
    kind = SAID[rule] if as_ruled else "highest value that may be taken"
    passed = "" if highest == takes else f", passed over: {why_not(curve, highest.index)}"
    return f"auto: {takes.label} ({kind})", f"highest value: {highest.label}{passed}"


def why_not(curve: Curve, position: int) -> str:
    """Why auto does not take the point with the highest value."""
    if auto_rule(curve.kind) == "best":
        return "outside the limits, or not trained"
    if position == 0:
        return "the first point, so no interior peak"
    if position == len(curve.points) - 1:
        return "the last point, so no interior peak"
    return "outside the limits, or not trained" if position in curve.peaks() else "no peak"


def without_zeros(values: Sequence[float]) -> list[float]:
    """The values, with a gap (NaN) for what has no place on a log scale."""
    return [value if value > 0 else math.nan for value in values]


def _scatter(
    axes: Axes,
    positions: Sequence[int],
    values: Sequence[float] | Mapping[int, float],
    label: str,
    **style: Any,
) -> None:
    if positions:
        heights = [values[p] for p in positions]
        axes.scatter(positions, heights, zorder=3, label=label, **style)


def _draw_accuracies(axes: Axes, accuracies: Mapping[int, float], baseline: float | None) -> None:
    right = axes.twinx()
    name = "measured accuracy (right)"
    in_order = zip(*sorted(accuracies.items()), strict=True)  # a search trains in another
    right.plot(*in_order, "D:", color=INK, lw=1, label=name)
    beside: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8, "color": INK}
    for position, accuracy in accuracies.items():
        right.annotate(f"{accuracy:.3f}", (position, accuracy), xytext=(7, -3), **beside)
    accuracy_axis(right, baseline)
