"""The curve of each class: I-SPLIT Fig. 8, for any number of classes."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from isplit.importance.curve import Curve
from isplit.report.canvas import legend_below, log_scale, mark, over_points, shortened
from isplit.studies.conditions import Condition, peak_of_each_class
from isplit.studies.figures.curve import without_zeros

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
    figure, axes = over_points(condition.points)
    draw = _lines if len(cui.per_class) <= LINES_AT_MOST else _heat_map
    draw(figure, axes, cui, peak_of_each_class(cui))
    title = f"cui of each of {len(cui.per_class)} classes; marked: its highest peak"
    axes.set_title(title, loc="left")
    return figure


def _lines(figure: Figure, axes: Axes, cui: Curve, peaks: Mapping[str, int]) -> None:
    log_scale(axes)
    shades = colormaps["cividis"](np.linspace(0, 0.85, len(peaks)))
    for (name, peak), marker, shade in zip(peaks.items(), MARKERS, shades, strict=False):
        values = without_zeros(cui.per_class[name])
        axes.plot(values, marker=marker, markersize=4, color=shade, label=shortened(name))
        axes.plot([peak], [values[peak]], marker=marker, markersize=10, color=shade, mec="white")
        mark(axes, peak, values[peak], _says(cui, name, peak))
    axes.set_ylabel("CUI (log scale, arbitrary unit)")
    legend_below(figure, columns=4)


def _heat_map(figure: Figure, axes: Axes, cui: Curve, peaks: Mapping[str, int]) -> None:
    order = list(peaks)
    names = sorted(peaks, key=lambda name: (peaks[name], order.index(name)))
    figure.set_figheight(min(9.0, 3.0 + 0.14 * len(names)))
    shares, scale = _by_own_maximum(cui.per_class, names), LogNorm(LOWEST_SHARE, 1, clip=True)
    picture = axes.imshow(shares, "Greys", scale, aspect="auto", interpolation="nearest")
    label = "CUI / its maximum over the points (log scale)"
    bar = figure.colorbar(picture, ax=axes, label=label, pad=0.01)
    log_scale(bar.ax)
    size = 16 if len(names) <= NAMED_ROWS else 5
    at = [peaks[name] for name in names]
    axes.scatter(at, range(len(names)), s=size, c="white", edgecolors="black", lw=0.6)
    for row, name in enumerate(names):
        mark(axes, peaks[name], row, _says(cui, name, peaks[name]))
    _name_rows(axes, names)


def _says(cui: Curve, name: str, peak: int) -> str:
    return f"{name}: highest peak at {cui.points[peak].label}"


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
