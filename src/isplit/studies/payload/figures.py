"""The study of payloads as figures: rows of its files as lines, in panels."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from itertools import cycle
from typing import Any

import yaml
from matplotlib import colormaps
from matplotlib.figure import Figure

from isplit.report.canvas import plain
from isplit.report.findings import Drawing
from isplit.studies.payload.cells import Row

_FILE = files("isplit.studies.payload").joinpath("words.yaml")
TEXTS: dict[str, Any] = yaml.safe_load(_FILE.read_text("utf-8"))
COLUMNS = 3


def drawing(name: str, rows: Sequence[Row]) -> Drawing:
    """The figure of this name in ``words.yaml``, of rows with the keys that stand there."""
    x, y, across, up, line, panels, caption, _ = TEXTS["figures"][name]
    scale = 100 if "points" in up else 1
    titles = dict.fromkeys(tuple(row[key] for key in panels) for row in rows)
    height = -(-len(titles) // COLUMNS)
    figure = Figure(figsize=(4.3 * COLUMNS, 3.6 * height), layout="constrained")
    for place, title in enumerate(titles, 1):
        axes = figure.add_subplot(height, COLUMNS, place)
        own = [row for row in rows if tuple(row[key] for key in panels) == title]
        names = list(dict.fromkeys(row[line] for row in own))
        for number, (of, marker) in enumerate(zip(names, cycle("os^Dv"), strict=False)):
            shade = colormaps["viridis"](0.9 * number / max(1, len(names) - 1))
            same = sorted((row for row in own if row[line] == of), key=lambda row: float(row[x]))
            heights = [scale * row[y] for row in same]
            errors = [scale * row.get(f"{y}_error", 0) for row in same]
            look = {"color": shade, "marker": marker, "markersize": 4, "lw": 1, "label": of}
            axes.errorbar([row[x] for row in same], heights, errors, capsize=2, **look)
        scales = ["log" if "log" in name else "linear" for name in (across, up)]
        axes.set(xlabel=across, ylabel=up, xscale=scales[0], yscale=scales[1])
        axes.set_title(", ".join(title), loc="left", fontsize=10)
        axes.legend(fontsize="x-small", frameon=False, ncols=1 + len(names) // 8)
        plain(axes, "both")
    return Drawing(name, caption, figure)
