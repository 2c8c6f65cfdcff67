"""Grad-CAM's curve against that of the gradient alone: I-SPLIT Fig. 4."""

from matplotlib.figure import Figure

from isplit.report.canvas import DARK, PALE, legend_below, log_scale, mark, over_points
from isplit.studies.agreement.figures.says import of_point
from isplit.studies.conditions import Condition
from isplit.studies.figures.curve import without_zeros


def gradients_figure(condition: Condition) -> Figure | None:
    """``cui`` and ``gradient``, each over its own maximum, on one log axis.

    Dividing shifts a curve on a log axis and keeps its shape, so the two can be compared although
    their units differ. ``None`` where one of them is missing or nowhere above zero.
    """
    curves = [condition.curves[kind] for kind in ("cui", "gradient") if kind in condition.curves]
    if len(curves) < 2 or any(max(curve.values) <= 0 for curve in curves):
        return None
    figure, axes = over_points(condition.points)
    log_scale(axes)
    for curve, style, colour in zip(curves, ("-o", "--s"), (DARK, PALE), strict=True):
        highest = max(curve.values)
        values = without_zeros([value / highest for value in curve.values])
        axes.plot(range(len(values)), values, style, color=colour, markersize=5, label=curve.kind)
        for position, value in enumerate(values):
            mark(axes, position, value, of_point(condition, position))
    axes.set_ylabel("value / its maximum (log scale)")
    axes.set_title("cui (with the features) against gradient (without)", loc="left")
    legend_below(figure)
    return figure
