"""What all figures share: colours, files, the axis of split points, marks with a title."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

from isplit.files import replacing
from isplit.point import SplitPoint
from isplit.report.svg import MARK, titled
from isplit.report.text import printable

DARK, ACCENT, PALE, INK = "#1f3b73", "#c2410c", "#8a8a8a", "#111111"  # apart in grey too
GRID = "#dddddd"
DOTS_PER_INCH = 150
READABLE_LABELS = 30  # more names than this on an axis: they get smaller
MARK_SIZE = 15  # of a mark for pointers and fingers, in points (1/72 inch)


def save(figure: Figure, path: Path, suffixes: Sequence[str] = (".png", ".svg")) -> list[Path]:
    """The files ``path`` + ``.png`` and ``.svg``; the same figure gives the same bytes.

    Text stays text in the SVG. Names are no formulas, and what cannot be shown is replaced.
    """
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_text(printable(text.get_text(), kept="\n"))
        text.set_parse_math(False)
    settings: Any = {"svg.hashsalt": "isplit", "svg.fonttype": "none", "text.parse_math": False}
    settings |= {"figure.autolayout": False, "figure.constrained_layout.use": False}
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box in the PNG, text in the SVG
        figure.dpi = DOTS_PER_INCH
        figure.draw_without_rendering()
        figure.set_layout_engine(None)  # it is laid out: once for all files
        return [_write(figure, path.with_name(path.name + suffix)) for suffix in suffixes]


def over_points(points: Sequence[SplitPoint]) -> tuple[Figure, Axes]:
    """A figure wide enough for a name under each point, the points from input to answer."""
    width = min(16.0, max(7.0, 2.0 + 0.3 * len(points)))
    figure = Figure(figsize=(width, 4.8), layout="constrained")
    axes = figure.add_subplot()
    many = len(points) > READABLE_LABELS
    labels = [printable(f"{point.label}  {point.index}") for point in points]
    axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=6.5 if many else 8.5)
    axes.set_xlabel("split point (name and index), from the input to the answer")
    axes.set_xlim(-0.6, len(labels) - 0.4)
    plain(axes)
    return figure, axes


def log_scale(axes: Axes) -> None:
    """A vertical log axis whose numbers are plain text."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def plain(axes: Axes, grid: str = "y") -> None:
    """A light grid behind the data and no frame above and to the right."""
    axes.grid(axis=grid, color=GRID, linewidth=0.7)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def legend_below(figure: Figure, columns: int = 3) -> None:
    """The legend under the axes, where it hides no data."""
    figure.legend(
        loc="outside lower center", ncols=columns, frameon=False, fontsize="small", markerscale=0.7
    )


def mark(axes: Axes, x: float, y: float, says: str) -> None:
    """An unseen mark that a pointer finds: in the SVG it is a circle with this title."""
    gid = MARK + printable(says)
    axes.plot([x], [y], "o", color="black", markersize=MARK_SIZE, alpha=0, gid=gid)


def shortened(name: str, length: int = 24) -> str:
    """The name, cut where it is too long for an axis; with a space where a legend would drop it.

    >>> shortened("European fire salamander, Salamandra salamandra"), shortened("_x")
    ('European fire salamande…', ' _x')
    """
    name = printable(f" {name}" if name.startswith("_") else name)
    return name if len(name) <= length else name[: length - 1] + "…"


def _write(figure: Figure, file: Path) -> Path:
    written = io.BytesIO()
    metadata = {"Date": None} if file.suffix == ".svg" else None
    figure.savefig(written, format=file.suffix[1:], dpi=DOTS_PER_INCH, metadata=metadata)
    content = written.getvalue()
    with replacing(file) as temporary:
        temporary.write_bytes(titled(content) if file.suffix == ".svg" else content)
    return file
