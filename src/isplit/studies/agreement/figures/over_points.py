"""What is seen over the split points: importance, accuracy, heat maps of single images."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isplit.report import canvas
from isplit.studies.agreement.noise import accuracy_error
from isplit.studies.agreement.points import of_point
from isplit.studies.conditions import Condition
from isplit.studies.curve_figure import accuracy_axis, draw_curve, without_zeros
from isplit.studies.seen import Pictures

PICTURE_INCHES = 0.85
LINES = ("boxprops", "whiskerprops", "capprops", "medianprops")
BOXES: dict[str, Any] = {"widths": 0.55, "manage_ticks": False, "showfliers": False}
BOXES |= {part: {"color": canvas.PALE} for part in LINES}


def accuracy_figure(condition: Condition) -> Figure:
    """CUI with peaks and CDE's candidates; measured accuracy with its spread on a second axis.

    I-SPLIT Figs. 3, 6 and 7.

    Boxes: the random subsets of the test images (quartiles, whiskers to 1.5 times their distance).
    Bars: standard deviation of the trainings where there are repeats, else the binomial standard
    error.
    """
    figure, axes = canvas.over_points(condition.points)
    cui = condition.curves.get("cui")
    if cui:
        draw_curve(axes, cui)
        title = f"cui of {len(cui.points)} split points, {cui.num_images} images"
        axes.set_title(title, loc="left")
    right = axes.twinx()
    _draw_subsets(right, condition)
    _draw_measured(right, condition)
    for trained in condition.retrained:
        said = of_point(condition, trained.position)
        canvas.mark(right, trained.position, trained.accuracy, said)
    canvas.legend_below(figure, columns=2)
    return figure


def gradients_figure(condition: Condition) -> Figure | None:
    """``cui`` and ``gradient``, each over its own maximum, on one log axis: I-SPLIT Fig. 4.

    Dividing shifts a curve on a log axis and keeps its shape, so the two can be compared although
    their units differ. ``None`` where one of them is missing or nowhere above zero.
    """
    curves = [condition.curves[kind] for kind in ("cui", "gradient") if kind in condition.curves]
    if len(curves) < 2 or any(max(curve.values) <= 0 for curve in curves):
        return None
    figure, axes = canvas.over_points(condition.points)
    canvas.log_scale(axes)
    for curve, style, colour in zip(curves, ("-o", "--s"), (canvas.DARK, canvas.PALE), strict=True):
        highest = max(curve.values)
        values = without_zeros([value / highest for value in curve.values])
        axes.plot(range(len(values)), values, style, color=colour, markersize=5, label=curve.kind)
        for position, value in enumerate(values):
            canvas.mark(axes, position, value, of_point(condition, position))
    axes.set_ylabel("value / its maximum (log scale)")
    axes.set_title("cui (with the features) against gradient (without)", loc="left")
    canvas.legend_below(figure)
    return figure


def heatmaps_figure(pictures: Pictures) -> Figure:
    """A row for each image: the image itself, then its heat map at each point."""
    images, points = pictures.images, pictures.points
    rows, columns = len(images), len(points) + 1
    size = (PICTURE_INCHES * columns + 1.0, PICTURE_INCHES * rows + 1.2)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for row in range(rows):
        for column, picture in enumerate([images[row], *pictures.overlays[:, row]]):
            axes = panels[row, column]
            axes.imshow(picture, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        name = canvas.shortened(pictures.labels[row], 16)
        panels[row, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    for axes, title in zip(panels[0], ["image", *(p.label for p in points)], strict=True):
        axes.set_title(title, rotation=90, fontsize=8)
    return figure


def _draw_subsets(axes: Axes, condition: Condition) -> None:
    tested = [trained for trained in condition.retrained if trained.subset_accuracies]
    if not tested:
        return
    accuracies = [trained.subset_accuracies for trained in tested]
    positions = [trained.position for trained in tested]
    boxes = axes.boxplot(accuracies, positions=positions, **BOXES)
    boxes["boxes"][0].set_label(f"{len(accuracies[0])} random test subsets (right)")


def _draw_measured(axes: Axes, condition: Condition) -> None:
    trained = condition.retrained
    repeats = max(len(t.results) for t in trained)
    bars = f"± s.d. of {repeats} trainings" if repeats > 1 else "± binomial error"
    positions, accuracies = [t.position for t in trained], [t.accuracy for t in trained]
    errors = [accuracy_error(t, condition.test_images) for t in trained]
    look: dict[str, Any] = {"color": canvas.ACCENT, "markersize": 4, "linewidth": 1.2, "capsize": 3}
    label = f"accuracy {bars} (right)"
    axes.errorbar(positions, accuracies, errors, fmt="D--", label=label, **look)
    accuracy_axis(axes, condition.baseline_accuracy)
