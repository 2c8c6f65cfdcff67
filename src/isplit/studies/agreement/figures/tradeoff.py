"""What accuracy costs: bytes on the wire and work on the device."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from isplit.matching import unbeaten
from isplit.report.canvas import ACCENT, DARK, mark, plain
from isplit.studies.agreement.points import of_point
from isplit.studies.conditions import Condition

NUMBERED_POINTS = 24  # of more, only the fronts are numbered
TOGETHER = 0.035  # of the axes: points nearer than this share a text
WIDE_RANGE = 300


def tradeoff_figure(condition: Condition) -> Figure:
    """Accuracy against payload bytes and against MACs on the device, with the Pareto fronts.

    Device: head and encoder.
    """
    figure = Figure(figsize=(9.0, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    results = [trained.results[0] for trained in condition.retrained]
    payloads = [result.cost.payload_bytes for result in results]
    _panel(left, condition, payloads, "payload of one image (bytes)")
    macs = [result.device_macs for result in results]
    _panel(right, condition, macs, "device, head and encoder (MACs of one image)")
    left.set_ylabel("test accuracy (0 to 1)")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _panel(axes: Axes, condition: Condition, costs: Sequence[float], name: str) -> None:
    trained = condition.retrained
    gains = [t.accuracy for t in trained]
    front = unbeaten([[c, -gain] for c, gain in zip(costs, gains, strict=True)])
    front.sort(key=lambda p: costs[p])
    axes.set_xscale("log" if min(costs) > 0 else "symlog")  # a first pooling takes no MACs
    axes.margins(0.08)
    axes.plot(costs, gains, "o", color=DARK, markersize=5, label="split point (number: its index)")
    at = [costs[p] for p in front], [gains[p] for p in front]
    ring: dict[str, Any] = {"marker": "o", "markersize": 8, "markerfacecolor": "none"}
    axes.step(*at, where="post", color=ACCENT, label="Pareto front", **ring)
    axes.axhline(condition.baseline_accuracy, color="black", lw=1, ls=":", label="unsplit")
    for p, t in enumerate(trained):
        mark(axes, costs[p], gains[p], of_point(condition, t.position))
    all_of_them = len(trained) <= NUMBERED_POINTS
    numbered = range(len(trained)) if all_of_them else front
    places = {condition.points[trained[p].position].index: (costs[p], gains[p]) for p in numbered}
    _number(axes, places, below=all_of_them)  # nothing lies above a front
    _ticks(axes, costs)
    axes.set_xlabel(f"{name}, log scale")
    plain(axes, "both")


def _number(axes: Axes, places: Mapping[int, tuple[float, float]], below: bool) -> None:
    """The index beside each point; those that lie together share one text."""
    on_axes = axes.transData + axes.transAxes.inverted()
    at = {index: on_axes.transform(place) for index, place in sorted(places.items())}
    groups: list[list[int]] = []
    for index, here in at.items():
        near = (group for group in groups if abs(at[group[0]] - here).max() < TOGETHER)
        group = next(near, None)
        groups.append([index]) if group is None else group.append(index)
    offset, side = ((5, -9), "left") if below else ((-6, 5), "right")
    beside: dict[str, Any] = {"textcoords": "offset points", "ha": side, "fontsize": 7.5}
    for group in groups:
        axes.annotate(", ".join(map(str, group)), places[group[0]], offset, **beside)


def _ticks(axes: Axes, costs: Sequence[float]) -> None:
    """1, 2, 5 in each decade, or 1 alone where there are many decades."""
    wide = max(costs) > WIDE_RANGE * max(1, min(costs))
    if min(costs) > 0:  # else there is a zero, too
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(NullFormatter())
