"""Splits of one condition: those that were trained, and what the others are expected to reach."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from isplit.search import Expectation, expectations, shipped
from isplit.studies.collect import Run, grouped
from isplit.studies.conditions import mean_accuracy
from isplit.studies.seen import Coded, Sent, Sides


@dataclass(frozen=True)
class Split:
    """A split of the net, what travels, and what it comes to.

    Attributes:
        index: position of the split point.
        low, high: 90 % interval of an accuracy that nobody measured; ``None``: it was measured.
        run: that trained it.
    """

    index: int
    sent: Sent
    coded: Coded
    low: float | None = None
    high: float | None = None
    run: Run | None = None


def trained(runs: Sequence[Run], sides: Sides) -> Iterator[Split]:
    """The splits that the runs of a condition trained, each with the mean of its repeats."""
    for index, (run, accuracy) in sorted(_by_index(runs).items()):
        sent = replace(sent_of(run), accuracy=accuracy)
        yield Split(index, sent, sides.coded(run, index), run=run)


def untrained(runs: Sequence[Run], sides: Sides) -> Iterator[Split]:
    """The same condition at every other point: bytes as they would be, accuracy as expected."""
    for index, of in enumerate(expected(runs)):
        if of.measured is None:
            with suppress(ValueError):  # no bottleneck fits there
                coded = sides.coded(runs[0], index)
                sent = Sent("float32", of.accuracy, coded.cost.payload_bytes)
                yield Split(index, sent, coded, of.low, of.high)


def expected(runs: Sequence[Run]) -> list[Expectation]:
    """What a training of each point is expected to reach; none where nobody knows.

    That is without a bottleneck or with a codec, and where the runs ranked by a predictor for which
    no constants ship.
    """
    curves, known = {run.curve.kind: run.curve for run in runs}, runs[0].result
    curve = next((curves[kind] for kind in shipped() if kind in curves), None)
    if curve is None or known.bottleneck is None or known.codec is not None:
        return []
    measured = {index: accuracy for index, (_, accuracy) in _by_index(runs).items()}
    test = known.accuracy
    return expectations(curve.kind, curve.values, test.baseline, test.test_images, measured)


def sent_of(run: Run) -> Sent:
    """What travels of a finished split: by its codec where it has one, else the code as float32."""
    coded, accuracy = run.result.codec, run.result.accuracy.final
    if coded is None:
        return Sent("float32", accuracy, run.result.cost.payload_bytes)
    times_s = coded.encode_ms / 1000, coded.decode_ms / 1000
    bits = f", {coded.settings['bits']} bits" if "bits" in coded.settings else ""
    return Sent(f"{coded.name}{bits}", accuracy, coded.payload_mean_bytes, *times_s)


def _by_index(runs: Sequence[Run]) -> dict[int, tuple[Run, float]]:
    """The first run at each point, and the mean accuracy of all there."""
    groups = grouped(runs, lambda run: run.result.split.index).items()
    return {i: (same[0], mean_accuracy(run.result for run in same)) for i, same in groups}
