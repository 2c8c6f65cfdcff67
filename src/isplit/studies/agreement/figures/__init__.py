"""Figures of a condition, drawn without a display: a new one is a function, a line and words."""

from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from isplit.report.findings import Drawing
from isplit.studies.agreement import TEXTS
from isplit.studies.agreement.figures.over_points import accuracy_figure, gradients_figure
from isplit.studies.agreement.figures.predictors import scatter_figure
from isplit.studies.agreement.figures.tradeoff import tradeoff_figure
from isplit.studies.class_figures import classes_figure, f1_figure
from isplit.studies.conditions import Condition

FIGURES: dict[str, Callable[[Condition], Figure | None]] = {
    "accuracy": accuracy_figure,
    "scatter": scatter_figure,
    "tradeoff": tradeoff_figure,
    "f1": f1_figure,
    "classes": classes_figure,
    "gradients": gradients_figure,
}
"""The most telling first."""


def drawn(condition: Condition) -> tuple[list[Drawing], list[str]]:
    """The figures that the condition has what they need for; which are missing, and why."""
    figures = {name: draw(condition) for name, draw in FIGURES.items()}
    missing = [f"figure {n}: {TEXTS['needs'][n]}" for n, made in figures.items() if made is None]
    return [drawing(name, made) for name, made in figures.items() if made], missing


def drawing(name: str, figure: Figure, **keys: Any) -> Drawing:
    """A figure with its caption."""
    return Drawing(name, TEXTS["captions"][name], figure, **keys)
