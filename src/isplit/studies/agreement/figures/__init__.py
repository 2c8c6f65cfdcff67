"""Figures of a condition, drawn without a display: a new one is a function and an entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from isplit.report.findings import Drawing
from isplit.studies.agreement.figures.accuracy import accuracy_figure
from isplit.studies.agreement.figures.gradients import gradients_figure
from isplit.studies.agreement.figures.scatter import scatter_figure
from isplit.studies.agreement.figures.tradeoff import tradeoff_figure
from isplit.studies.conditions import Condition
from isplit.studies.figures.classes import classes_figure
from isplit.studies.figures.f1 import f1_figure


class Kind(NamedTuple):
    """How a figure is drawn, what is to be seen in it, and why it may be missing."""

    draw: Callable[[Condition], Figure | None]
    caption: str
    needs: str


FIGURES: dict[str, Kind] = {
    "accuracy": Kind(
        accuracy_figure,
        "Importance (left axis) and the accuracy measured after training with the split at each "
        "point (right axis), as in I-SPLIT Figs. 3, 6 and 7. Triangles are peaks, squares along "
        "the lower edge the candidates of CDE.",
        "no split was trained",
    ),
    "scatter": Kind(
        scatter_figure,
        "Each predictor's ranking of the trained points against the accuracy measured there; a "
        "good predictor falls from left to right. Ringed: its highest value; squared: what auto "
        "takes, its highest interior peak. Dotted: the unsplit model. "
        "rho is Spearman's rank correlation with a bootstrap 95 % interval over the points.",
        "fewer than three splits were trained",
    ),
    "tradeoff": Kind(
        tradeoff_figure,
        "Accuracy against what a split costs. No point off the Pareto front is worth taking: one "
        "on it is at least as accurate and cheaper.",
        "no split was trained",
    ),
    "f1": Kind(
        f1_figure,
        "What the split does to single classes (I-SPLIT Fig. 5): F1 before and after, the classes "
        "in the order of F1 before.",
        "no split was trained",
    ),
    "classes": Kind(
        classes_figure,
        "The curve of each class by itself (I-SPLIT Fig. 8): classes that peak elsewhere would be "
        "split elsewhere.",
        "the CUI has no values per class",
    ),
    "gradients": Kind(
        gradients_figure,
        "Grad-CAM's importance against that of the gradient alone (I-SPLIT Fig. 4). Each is "
        "divided by its own maximum, which on a log axis moves a curve and keeps its shape.",
        "the curve of cui or of gradient is missing or zero",
    ),
}
"""The most telling first."""


def drawn(condition: Condition, names: Sequence[str] = tuple(FIGURES)) -> list[Drawing]:
    """The figures that the condition has what they need for."""
    figures = {name: FIGURES[name].draw(condition) for name in names}
    return [Drawing(n, FIGURES[n].caption, made) for n, made in figures.items() if made]
