"""What single classes want and lose: the curve of each (I-SPLIT Fig. 8), and its F1 (Fig. 5)."""

from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from isplit.report import canvas
from isplit.studies.conditions import Condition, class_f1, peak_of_each_class, shown_split

NAMED_ROWS = 60  # of the heat map
LOWEST_SHARE = 1e-3  # of the maximum; what is lower is white
NAMED_CLASSES = 40  # of F1, a row each; more stand side by side, where few are named
NAMED_CHANGES = 3  # the largest
NAME_BESIDE: dict[str, Any] = {
    "xytext": (5, -9),
    "textcoords": "offset points",
    "fontsize": 7.5,
    "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
    "zorder": 4,
}


def classes_figure(condition: Condition) -> Figure | None:
    """The CUI of each class over the split points as a row of a heat map, its highest peak marked.

    Rows are ordered by where they peak, each divided by its maximum. ``None`` without values per
    class.
    """
    cui = condition.curves.get("cui")
    if cui is None or not cui.per_class:
        return None
    figure, axes = canvas.over_points(condition.points)
    peaks = peak_of_each_class(cui)
    names = sorted(peaks, key=lambda name: peaks[name])  # of one place: in the data set's order
    figure.set_figheight(min(9.0, max(4.4, 3.0 + 0.14 * len(names))))
    values = np.array([cui.per_class[name] for name in names])
    shares = values / np.maximum(values.max(axis=1, keepdims=True), np.finfo(float).tiny)
    scale = LogNorm(LOWEST_SHARE, 1, clip=True)
    picture = axes.imshow(shares, "Greys", scale, aspect="auto", interpolation="nearest")
    label = "CUI / its maximum over the points (log scale)"
    canvas.log_scale(figure.colorbar(picture, ax=axes, label=label, pad=0.01).ax)
    few = len(names) <= NAMED_ROWS
    look: dict[str, Any] = {"c": "white", "edgecolors": "black", "lw": 0.6}
    axes.scatter([peaks[n] for n in names], range(len(names)), s=16 if few else 5, **look)
    for row, name in enumerate(names):
        label = cui.points[peaks[name]].label
        canvas.mark(axes, peaks[name], row, f"{name}: highest peak at {label}")
    axes.grid(visible=False)
    shown = [canvas.shortened(name) for name in names] if few else []
    axes.set_yticks(range(len(shown)), shown, fontsize=7.5)
    axes.set_ylabel("classes, by the place of their highest peak")
    title = f"cui of each of {len(names)} classes; marked: its highest peak"
    axes.set_title(title, loc="left")
    return figure


def f1_figure(condition: Condition) -> Figure:
    """F1 of each class, unsplit and split, sorted by F1 of the unsplit model.

    Few classes have a row each; of many, side by side, those that change most are named. The split
    is the one that ``split.layer=auto`` takes by the CUI, of those that were trained.
    """
    shown = shown_split(condition)
    classes = sorted(class_f1(condition, shown), key=lambda one: -one[1])
    names, before, after = zip(*classes, strict=True)
    count, ranks = len(classes), range(1, len(classes) + 1)
    few = count <= NAMED_CLASSES
    size = (7.0, 2.0 + 0.22 * count) if few else (9.0, 4.8)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    draw_lines, width = (axes.hlines, 1.5) if few else (axes.vlines, 0.8)
    draw_lines(ranks, before, after, color=canvas.PALE, lw=width)
    turn = -1 if few else 1  # a row each: F1 is across
    looks: dict[str, dict[str, Any]] = {
        "unsplit": {"color": canvas.DARK},
        "split": {"marker": "D", "facecolor": "white", "edgecolor": canvas.ACCENT},
    }
    for values, (name, look) in zip((before, after), looks.items(), strict=True):
        across, up = (ranks, values)[::turn]
        axes.scatter(across, up, s=26 if few else 12, label=name, zorder=3, **look)
    changes = sorted(ranks, key=lambda rank: -abs(after[rank - 1] - before[rank - 1]))
    for rank, (name, unsplit, split) in zip(ranks, classes, strict=True):
        x, y = (rank, split)[::turn]
        canvas.mark(axes, x, y, f"{name}: F1 {unsplit:.3f} unsplit, {split:.3f} split")
        if not few and rank in changes[:NAMED_CHANGES]:
            axes.annotate(canvas.shortened(name), (x, y), **NAME_BESIDE)
    said = ["classes, by F1 of the unsplit model", "F1 on the test images (0 to 1)"]
    if few:
        axes.set_yticks(ranks, [canvas.shortened(name) for name in names], fontsize=8.5)
        axes.set(xlabel=said[1], ylim=(count + 0.6, 0.4))
    else:
        axes.set(xlabel=said[0], ylabel=said[1], xlim=(0, count + 1))
    canvas.plain(axes, "both" if few else "y")
    label = condition.points[shown.position].label
    axes.set_title(f"F1 of {count} classes, unsplit and split at {label}", loc="left")
    canvas.legend_below(figure)
    return figure
