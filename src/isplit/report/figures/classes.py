"""The curve of each class: I-SPLIT Fig. 8, for any number of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from isplit.analysis.findings import Condition
from isplit.report.figures.canvas import (
    legend_below,
    name_points,
    over_points,
    shortened,
    target,
)
from isplit.report.figures.curve import without_zeros
from isplit.types import Curve

LINES_AT_MOST = 5  # more classes: a heat map
NAMED_ROWS = 60
MARKERS = "os^Dv"
LOWEST_SHARE = 1e-3  # of the maximum; what is lower is white


def classes_figure(condition: Condition) -> Figure | None:
    """The CUI of each class over the split points, its highest peak marked.

    Few classes are lines, many the rows of a heat map, ordered by where they peak; there each row
    is divided by its maximum. ``None`` without per-class values.
    """
    cui = condition.curves.get("cui")
    if cui is None or not cui.per_class:
        return None
    figure = over_points(condition.points)
    draw = _lines if len(cui.per_class) <= LINES_AT_MOST else _heat_map
    draw(figure, cui, condition.class_names)
    title = f"cui of each of {len(cui.per_class)} classes; marked: its highest peak"
    figure.axes[0].set_title(title, loc="left")
    return figure


def highest_peak(curve: Curve, values: Sequence[float]) -> int:
    """Position of the highest interior peak of one class; without one, of the maximum."""
    own = Curve(curve.kind, curve.points, tuple(values))
    return max(own.peaks() or range(len(values)), key=lambda p: values[p])


def _lines(figure: Figure, cui: Curve, class_names: Sequence[str]) -> None:
    axes = figure.add_subplot()
    axes.set_yscale("log")
    shades = colormaps["cividis"](np.linspace(0, 0.85, len(cui.per_class)))
    for (name, raw), marker, shade in zip(cui.per_class.items(), MARKERS, shades, strict=False):
        values, peak = without_zeros(raw), highest_peak(cui, raw)
        axes.plot(values, marker=marker, markersize=4, color=shade, label=shortened(name))
        axes.plot([peak], [values[peak]], marker=marker, markersize=10, color=shade, mec="white")
        target(axes, f"class-{class_names.index(name)}", peak, values[peak])
    name_points(axes, cui.points)
    axes.set_ylabel("CUI (log scale, arbitrary unit)")
    legend_below(figure, columns=4)


def _heat_map(figure: Figure, cui: Curve, class_names: Sequence[str]) -> None:
    peaks = {name: highest_peak(cui, values) for name, values in cui.per_class.items()}
    names = sorted(peaks, key=lambda name: (peaks[name], class_names.index(name)))
    figure.set_figheight(min(9.0, 3.0 + 0.14 * len(names)))
    axes = figure.add_subplot()
    shares = _by_own_maximum(cui.per_class, names)
    scale = LogNorm(LOWEST_SHARE, 1, clip=True)
    picture = axes.imshow(shares, "Greys", scale, aspect="auto", interpolation="nearest")
    figure.colorbar(
        picture, ax=axes, label="CUI / its maximum over the points (log scale)", pad=0.01
    )
    rows = range(len(names))
    size = 16 if len(names) <= NAMED_ROWS else 5
    axes.scatter([peaks[n] for n in names], rows, s=size, c="white", edgecolors="black", lw=0.6)
    for row, name in enumerate(names):
        target(axes, f"class-{class_names.index(name)}", peaks[name], row)
    name_points(axes, cui.points)
    _name_rows(axes, names)


def _by_own_maximum(
    per_class: Mapping[str, Sequence[float]], names: Sequence[str]
) -> NDArray[np.float64]:
    values = np.array([per_class[name] for name in names])
    return np.asarray(values / np.maximum(values.max(axis=1, keepdims=True), np.finfo(float).tiny))


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.grid(visible=False)
    if len(names) <= NAMED_ROWS:
        axes.set_yticks(range(len(names)), [shortened(name) for name in names], fontsize=7.5)
    else:
        axes.set_yticks([])
    axes.set_ylabel("classes, by the place of their highest peak")
