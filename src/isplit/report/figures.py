"""Figures as PNG and SVG, drawn without a display and written whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isplit.files import replacing
from isplit.importance.curves import cut_distil_encode
from isplit.types import Curve

AXIS_NAMES = {
    "cui": "CUI (log scale, arbitrary unit)",
    "gradient": "gradient importance (log scale, arbitrary unit)",
    "cde": "minus ln(number of feature elements)",
    "size": "minus ln(number of feature elements)",
    "depth": "index of the split point",
}
ON_LOG_SCALE = ("cui", "gradient")
DOTS_PER_INCH = 150
CDE_HEIGHT = 0.025  # part of the axis
READABLE_LABELS = 30  # more points than this: labels get smaller
LINE, CHOSEN, SHRINKS = "#1f3b73", "#c2410c", "#8a8a8a"  # dark, middle and light in grey too
MEASURED = "#111111"


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
    with rc_context({"svg.hashsalt": "isplit", "svg.fonttype": "none"}):
        figure = _curve_figure(curve, chosen, accuracies or {}, baseline)
        return [_write(figure, path, suffix) for suffix in (".png", ".svg")]


def _curve_figure(
    curve: Curve,
    chosen: Sequence[int],
    accuracies: Mapping[int, float],
    baseline: float | None,
) -> Figure:
    width = min(16.0, max(7.0, 2.0 + 0.3 * len(curve.points)))
    figure = Figure(figsize=(width, 4.8), layout="constrained")
    axes = figure.add_subplot()
    _draw_values(axes, curve, chosen)
    _name_points(axes, curve)
    if accuracies:
        _draw_accuracies(axes, accuracies, baseline)
    images = f", {curve.num_images} images" if curve.num_images else ""
    axes.set_title(f"{curve.kind} of {len(curve.points)} split points{images}", loc="left")
    figure.legend(
        loc="outside lower center", ncols=3, frameon=False, fontsize="small", markerscale=0.7
    )
    return figure


def _draw_values(axes: Axes, curve: Curve, chosen: Sequence[int]) -> None:
    values = list(curve.values)
    if curve.kind in ON_LOG_SCALE and max(values) > 0:
        axes.set_yscale("log")
        zeros = [p for p, value in enumerate(values) if value <= 0]
        values = [value if value > 0 else math.nan for value in values]
        for p in zeros:
            name = "zero: no place on a log scale" if p == zeros[0] else "_"
            axes.axvline(p, color=SHRINKS, linestyle=":", label=name)
    axes.plot(range(len(values)), values, "-o", color=LINE, markersize=4, label=curve.kind)
    if curve.marked is None:
        peaks = curve.peaks()
        _mark(axes, peaks, [values[p] for p in peaks], "^", 80, "peak")
    _mark_shrinking(axes, curve)
    _ring(axes, list(chosen), [values[p] for p in chosen])
    axes.set_ylabel(AXIS_NAMES.get(curve.kind, curve.kind))


def _mark(
    axes: Axes, positions: Sequence[int], at: Sequence[float], marker: str, size: int, name: str
) -> None:
    if positions:
        axes.scatter(
            positions,
            at,
            s=size,
            marker=marker,
            color=LINE,
            edgecolors="white",
            zorder=3,
            label=name,
        )


def _mark_shrinking(axes: Axes, curve: Curve) -> None:
    """CDE's candidates, as squares along the lower edge: they have no height of their own."""
    positions = cut_distil_encode(curve.points).marked
    if positions:
        edge = axes.get_xaxis_transform()
        name = "smaller than the point before (CDE)"
        heights = [CDE_HEIGHT] * len(positions)
        axes.scatter(
            positions, heights, s=26, marker="s", color=SHRINKS, transform=edge, label=name
        )


def _ring(axes: Axes, positions: Sequence[int], at: Sequence[float]) -> None:
    """A ring, so that the mark inside stays visible."""
    if positions:
        axes.scatter(
            positions,
            at,
            s=260,
            facecolors="none",
            edgecolors=CHOSEN,
            linewidths=2.2,
            label="chosen",
        )


def _name_points(axes: Axes, curve: Curve) -> None:
    many = len(curve.points) > READABLE_LABELS
    labels = [f"{point.label}  {point.index}" for point in curve.points]
    axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=6.5 if many else 8.5)
    axes.set_xlabel("split point (name and index), from the input to the answer")
    axes.set_xlim(-0.6, len(labels) - 0.4)
    axes.grid(axis="y", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_accuracies(axes: Axes, accuracies: Mapping[int, float], baseline: float | None) -> None:
    right = axes.twinx()
    right.plot(
        list(accuracies),
        list(accuracies.values()),
        "D:",
        color=MEASURED,
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
            color=MEASURED,
        )
    if baseline is not None:
        right.axhline(baseline, color=MEASURED, linewidth=1, label=f"unsplit: {baseline:.3f}")
    right.margins(y=0.12)  # room for the marks and the line of the unsplit model
    right.set_ylabel("test accuracy (0 to 1)")
    right.spines["top"].set_visible(False)


def _write(figure: Figure, path: Path, suffix: str) -> Path:
    target = path.with_name(path.name + suffix)
    with replacing(target) as temporary:
        figure.savefig(
            temporary, dpi=DOTS_PER_INCH, metadata={"Date": None} if suffix == ".svg" else None
        )
    return target
