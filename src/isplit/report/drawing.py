"""All figures of an analysis, drawn into files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from isplit.analysis.findings import Condition, Leaderboard
from isplit.report.figures.accuracy import accuracy_figure
from isplit.report.figures.canvas import save
from isplit.report.figures.classes import classes_figure
from isplit.report.figures.f1 import f1_figure
from isplit.report.figures.gradients import gradients_figure
from isplit.report.figures.heatmaps import heatmaps_figure
from isplit.report.figures.leaderboard import leaderboard_figure
from isplit.report.figures.scatter import scatter_figure
from isplit.report.figures.tradeoff import tradeoff_figure
from isplit.types import SplitPoint


@dataclass(frozen=True)
class Drawing:
    """A figure that lies in files: ``path`` is that of the SVG, a PNG lies beside it.

    Attributes:
        name: what is told apart by it (``accuracy``, ``scatter`` ...).
        caption: what is to be seen and how it was made.
    """

    name: str
    caption: str
    path: Path


@dataclass(frozen=True)
class _Kind:
    draw: Callable[[Condition], Figure | None]
    caption: str
    needs: str


FIGURES: dict[str, _Kind] = {
    "accuracy": _Kind(
        accuracy_figure,
        "Importance (left axis) and the accuracy measured after training with the split at each "
        "point (right axis), as in I-SPLIT Figs. 3, 6 and 7. Triangles are peaks, squares along "
        "the lower edge the candidates of CDE.",
        "no split was trained",
    ),
    "scatter": _Kind(
        scatter_figure,
        "Each predictor's ranking of the trained points against the accuracy measured there; a "
        "good predictor falls from left to right. Ringed: its choice. Dotted: the unsplit model. "
        "rho is Spearman's rank correlation with a bootstrap 95 % interval over the points.",
        "fewer than three splits were trained",
    ),
    "tradeoff": _Kind(
        tradeoff_figure,
        "Accuracy against what a split costs. No point off the Pareto front is worth taking: one "
        "on it is at least as accurate and cheaper.",
        "no split was trained",
    ),
    "f1": _Kind(
        f1_figure,
        "What the split does to single classes (I-SPLIT Fig. 5): F1 before and after, the classes "
        "in the order of F1 before.",
        "no split was trained",
    ),
    "classes": _Kind(
        classes_figure,
        "The curve of each class by itself (I-SPLIT Fig. 8): classes that peak elsewhere would be "
        "split elsewhere.",
        "the CUI has no values per class",
    ),
    "gradients": _Kind(
        gradients_figure,
        "Grad-CAM's importance against that of the gradient alone (I-SPLIT Fig. 4). Each is "
        "divided by its own maximum, which on a log axis moves a curve and keeps its shape.",
        "the curve of cui or of gradient is missing or zero",
    ),
}
"""The figures of a condition, the most telling first: a new one is a function and an entry."""

HEAT_MAPS_CAPTION = (
    "Grad-CAM's heat maps of single images for their own class, from blue (nothing) to red. Each "
    "is stretched over its own range: colours compare within a picture, not between pictures."
)
LEADERBOARD_CAPTION = (
    "Spearman rank correlation of each predictor with the measured accuracy: its mean over the "
    "conditions (in brackets: how many), the range, and each condition by itself. The noise "
    "ceiling is the mean that a perfect predictor would come to against single trainings."
)


def draw_condition(condition: Condition, folder: Path) -> tuple[tuple[Drawing, ...], list[str]]:
    """The figures of one condition as ``<name>.svg`` and ``.png``, and which are missing, why."""
    drawings, missing = [], []
    for name, kind in FIGURES.items():
        figure = kind.draw(condition)
        if figure is None:
            missing.append(f"figure {name}: {kind.needs}")
        else:
            _, svg = save(figure, folder / name)
            drawings.append(Drawing(name, kind.caption, svg))
    return tuple(drawings), missing


def draw_heat_maps(
    pictures: NDArray[np.uint8],
    points: Sequence[SplitPoint],
    images: NDArray[np.uint8],
    labels: Sequence[str],
    folder: Path,
) -> Drawing:
    """``heatmaps.png``: images (N, H, W, 3) and their ``importance`` overlays (P, N, H, W, 3)."""
    figure = heatmaps_figure(pictures, points, images, labels)
    (png,) = save(figure, folder / "heatmaps", (".png",))
    return Drawing("heatmaps", HEAT_MAPS_CAPTION, png)


def draw_leaderboard(leaderboard: Leaderboard, folder: Path) -> tuple[Drawing, ...]:
    """``leaderboard.svg`` and ``.png``; nothing where no predictor has a rank correlation."""
    figure = leaderboard_figure(leaderboard)
    if figure is None:
        return ()
    _, svg = save(figure, folder / "leaderboard")
    return (Drawing("leaderboard", LEADERBOARD_CAPTION, svg),)
