"""The study of payloads as figures: rows of its files as lines, in panels."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure

from isplit.report.canvas import plain
from isplit.report.findings import Drawing
from isplit.report.table import words_of
from isplit.studies.collect import grouped
from isplit.studies.payload.cells import Row

TEXTS = words_of("studies.payload")
COLUMNS, FORMS = 3, ("o-", "s-", "^-", "D-", "v-")


def drawings(rows: Mapping[str, Sequence[Row]]) -> list[Drawing]:
    """The figures of ``words.yaml`` that there are rows for."""
    figures = TEXTS["figures"].items()
    return [_drawing(name, keys, rows[keys[-1]]) for name, keys in figures if rows.get(keys[-1])]


def _drawing(name: str, keys: Sequence[Any], rows: Sequence[Row]) -> Drawing:
    x, y, across, up, line, panels, caption, _ = keys
    scale = 100 if "points" in up else 1
    by_panel = grouped(rows, lambda row: ", ".join(row[key] for key in panels))
    columns = min(COLUMNS, len(by_panel))
    height = -(-len(by_panel) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.6 * height), layout="constrained")
    for place, (title, own) in enumerate(by_panel.items(), 1):
        axes = figure.add_subplot(height, columns, place)
        lines = grouped(own, itemgetter(line))
        for number, (of, unsorted) in enumerate(lines.items()):
            shade = colormaps["viridis"](0.9 * number / max(1, len(lines) - 1))
            same = sorted(unsorted, key=lambda row: float(row[x]))
            heights = [scale * row[y] for row in same]
            errors = [scale * row.get(f"{y}_error", 0) for row in same]
            look = {"color": shade, "markersize": 4, "lw": 1, "capsize": 2, "label": of}
            axes.errorbar([r[x] for r in same], heights, errors, fmt=FORMS[number % 5], **look)
        axes.set(xlabel=across, ylabel=up)
        if y == "ahead":
            axes.axhline(0, color="black", lw=0.8)
        if x == "index":
            at, labels = zip(*sorted({(row[x], row["point"]) for row in own}), strict=True)
            axes.set_xticks(at, labels, rotation=90, fontsize=6.5)
        axes.set_title(title, loc="left", fontsize=9)
        axes.legend(fontsize="x-small", frameon=False, ncols=1 + len(lines) // 8)
        plain(axes, "both")
    return Drawing(name, caption, figure)
