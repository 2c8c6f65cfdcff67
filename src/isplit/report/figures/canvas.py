"""What all figures share: colours, files, the axis of split points, marks that a pointer finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isplit.files import replacing
from isplit.types import SplitPoint

DARK, ACCENT, PALE, INK = "#1f3b73", "#c2410c", "#8a8a8a", "#111111"  # apart in grey too
GRID = "#dddddd"
DOTS_PER_INCH = 150
READABLE_LABELS = 30  # more names than this on an axis: they get smaller
TARGET_SIZE = 15  # of a mark for pointers and fingers, in points (1/72 inch)


def save(figure: Figure, path: Path, suffixes: Sequence[str] = (".png", ".svg")) -> list[Path]:
    """The files ``path`` + ``.png`` and ``.svg``; the same figure gives the same bytes.

    Text stays text in the SVG.
    """
    with rc_context({"svg.hashsalt": "isplit", "svg.fonttype": "none"}):
        return [_write(figure, path, suffix) for suffix in suffixes]


def over_points(points: Sequence[SplitPoint]) -> Figure:
    """An empty figure, wide enough for a name under each point."""
    width = min(16.0, max(7.0, 2.0 + 0.3 * len(points)))
    return Figure(figsize=(width, 4.8), layout="constrained")


def name_points(axes: Axes, points: Sequence[SplitPoint]) -> None:
    """The split points as the horizontal axis, from the input to the answer."""
    many = len(points) > READABLE_LABELS
    labels = [f"{point.label}  {point.index}" for point in points]
    axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=6.5 if many else 8.5)
    axes.set_xlabel("split point (name and index), from the input to the answer")
    axes.set_xlim(-0.6, len(labels) - 0.4)
    plain(axes)


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


def target(axes: Axes, key: str, x: float, y: float) -> None:
    """An unseen mark for a pointer to find: its id in the SVG is ``key``.

    What stands before the first dot of the key (``point-3``, ``class-17``, ``predictor-2``) says
    what the report shows there; the rest keeps ids of one figure apart.
    """
    axes.plot([x], [y], "o", color="black", markersize=TARGET_SIZE, alpha=0, gid=key)


def shortened(name: str, length: int = 24) -> str:
    """The name, cut where it is too long for an axis.

    >>> shortened("European fire salamander, Salamandra salamandra")
    'European fire salamande…'
    """
    return name if len(name) <= length else name[: length - 1] + "…"


def _write(figure: Figure, path: Path, suffix: str) -> Path:
    file = path.with_name(path.name + suffix)
    metadata = {"Date": None} if suffix == ".svg" else None
    with replacing(file) as temporary:
        figure.savefig(temporary, dpi=DOTS_PER_INCH, metadata=metadata)
    return file
