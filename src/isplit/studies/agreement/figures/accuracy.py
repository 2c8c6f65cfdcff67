"""What the CUI said and what was measured, over the split points: I-SPLIT Figs. 3, 6 and 7."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isplit.report.canvas import ACCENT, INK, PALE, legend_below, mark, over_points
from isplit.studies.agreement.figures.says import of_point
from isplit.studies.agreement.noise import accuracy_error
from isplit.studies.conditions import Condition
from isplit.studies.figures.curve import draw_curve

BOX_LINES: dict[str, Any] = {
    part: {"color": PALE} for part in ("boxprops", "whiskerprops", "capprops", "medianprops")
}


def accuracy_figure(condition: Condition) -> Figure | None:
    """CUI with peaks and CDE's candidates; measured accuracy with its spread on a second axis.

    Boxes: the random subsets of the test images (quartiles, whiskers to 1.5 times their distance).
    Bars: standard deviation of the trainings where there are repeats, else the binomial standard
    error. ``None`` where nothing was trained.
    """
    if not condition.retrained:
        return None
    figure, axes = over_points(condition.points)
    cui = condition.curves.get("cui")
    if cui:
        draw_curve(axes, cui)
        axes.set_title(
            f"cui of {len(cui.points)} split points, {cui.num_images} images", loc="left"
        )
    right = axes.twinx()
    _draw_subsets(right, condition)
    _draw_measured(right, condition)
    for trained in condition.retrained:
        mark(right, trained.position, trained.accuracy, of_point(condition, trained.position))
    legend_below(figure, columns=2)
    return figure


def _draw_subsets(axes: Axes, condition: Condition) -> None:
    tested = [trained for trained in condition.retrained if trained.subset_accuracies]
    if not tested:
        return
    count = len(tested[0].subset_accuracies)
    boxes = axes.boxplot(
        [trained.subset_accuracies for trained in tested],
        positions=[trained.position for trained in tested],
        widths=0.55,
        manage_ticks=False,
        showfliers=False,
        **BOX_LINES,
    )
    boxes["boxes"][0].set_label(f"{count} random test subsets (right)")


def _draw_measured(axes: Axes, condition: Condition) -> None:
    trained = condition.retrained
    repeats = max(len(t.results) for t in trained)
    bars = f"± s.d. of {repeats} trainings" if repeats > 1 else "± binomial error"
    axes.errorbar(
        [t.position for t in trained],
        [t.accuracy for t in trained],
        [accuracy_error(t, condition.test_images) for t in trained],
        fmt="D--",
        color=ACCENT,
        markersize=4,
        linewidth=1.2,
        capsize=3,
        label=f"accuracy {bars} (right)",
    )
    baseline = condition.baseline_accuracy
    axes.axhline(baseline, color=INK, linewidth=1, label=f"unsplit: {baseline:.3f} (right)")
    axes.margins(y=0.12)
    axes.set_ylabel("test accuracy (0 to 1)")
    axes.spines["top"].set_visible(False)
