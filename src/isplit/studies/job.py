"""What one job of ``train.py`` came to: the answer, a row for each split, the curve."""

from collections.abc import Sequence
from dataclasses import asdict

from isplit.importance import SAID, auto_rule
from isplit.importance.curve import Curve
from isplit.point import SplitPoint
from isplit.report.findings import Drawing, Findings, Value
from isplit.report.table import Table, columns_of
from isplit.result import SplitResult, single_values
from isplit.studies.curve_figure import auto_and_highest, curve_figure

CAPTION = "The curve that ranks the split points, and what was measured after the split."
SPLITS = columns_of("splits")


def curve_findings(curve: Curve, chosen: Sequence[SplitPoint], auto: int) -> Findings:
    """The curve as a figure, and in ``curve.json`` with every point and its rank.

    Args:
        auto: position that auto takes by it, within the limits.
    """
    images = f", {curve.num_images} images" if curve.num_images else ""
    title = f"{curve.kind} of {len(curve.points)} split points{images}; {_auto_is(curve)}"
    figure = curve_figure(curve, [point.index for point in chosen], title, auto=auto)
    points = [
        asdict(point) | {"value": value, "rank": curve.rank(position)}
        for position, (point, value) in enumerate(zip(curve.points, curve.values, strict=True))
    ]
    about = {"kind": curve.kind, "num_images": curve.num_images, "peaks": curve.peaks()}
    content = about | {"points": points, "per_class": curve.per_class}
    return Findings(
        title, figures=[Drawing("curve", CAPTION, figure)], files={"curve.json": content}
    )


def job_findings(curve: Curve, results: Sequence[SplitResult], auto: int) -> Findings:
    """The answer, why this point, the table of all splits, and the curve with what was measured."""
    best = max(results, key=lambda r: (r.accuracy.final, r.split.index))
    said = best.answer()
    measured = {result.split.index: result.accuracy.final for result in results}
    figure = curve_figure(curve, list(measured), said, measured, best.accuracy.baseline, auto)
    return Findings(
        name=f"{best.model} on {best.data}",
        answer=said,
        verdict=_why(curve, best, results, auto),
        tables=[_table(curve, results)],
        figures=[Drawing("curve", CAPTION, figure)],
    )


def flat_numbers(result: SplitResult, prefix: str = "") -> Findings:
    """A result's single values by ``section/name``, for trackers; lists stay in ``result.json``.

    The curve's value and rank stand there under its kind too (``curve/cui``, ``curve/cui_rank``),
    so that runs ranked by different predictors share a table.
    """
    kind = f"curve/{result.curve.kind}"
    values = single_values(asdict(result)).items()
    flat: dict[str, Value] = {name: value for name, value in values if value is not None}
    flat |= {"accuracy/final": result.accuracy.final}
    flat |= {kind: result.curve.value, f"{kind}_rank": result.curve.rank}
    return Findings(result.split.label, numbers={prefix + k: v for k, v in flat.items()})


def _why(curve: Curve, best: SplitResult, results: Sequence[SplitResult], auto: int) -> str:
    """Which point it is among those tried, and what auto would take by the curve."""
    label, by = best.split.label, best.split.chosen_by
    if len(results) > 1:
        said = f"{label} is the most accurate of {len(results)} splits that were tried"
    else:
        said = f"{label} was named by the user" if by == "user" else f"{label} was chosen by {by}"
    rank = f"rank {best.curve.rank} of {best.curve.num_points} by {curve.kind}"
    return f"{said}; {rank}. By {curve.kind}, {'; '.join(auto_and_highest(curve, auto))}."


def _auto_is(curve: Curve) -> str:
    return f"auto takes its {SAID[auto_rule(curve.kind)]}"


def _table(curve: Curve, results: Sequence[SplitResult]) -> Table:
    first = results[0]
    rows = [
        asdict(r.accuracy)
        | asdict(r.cost)
        | {"label": r.split.label, "rank": (r.curve.rank, r.curve.num_points)}
        | {"device": r.device_macs, "server": r.server_macs}
        for r in results
    ]
    note = (
        f"On {first.accuracy.test_images} test images, of the unsplit model and after each stage; "
        f"rank by {curve.kind}; {_auto_is(curve)}. "
        "Bytes of one image: of its features as float32, and as sent. "
        "M: 10⁶ multiply-accumulates of one image, encoder and decoder included."
    )
    title = f"{first.model} on {first.data}, {first.num_classes} classes"
    return Table(title, SPLITS, rows, note, on_screen=True)
