"""A search: which points are trained one after the other, and what it leaves."""

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import NormalDist

from isplit.files import replacing
from isplit.importance.curve import Curve
from isplit.point import SplitPoint
from isplit.report.findings import Findings
from isplit.report.table import Table, columns_of
from isplit.result import SplitResult
from isplit.search import Expectation, doubt, expectations
from isplit.stages import Stored, tested

log = logging.getLogger(__name__)

WORTH = 0.0005  # accuracy: less than what two trainings of one point differ by
LEAST_SAVED = 0.01  # of the cost
NORMAL = NormalDist()
NOTE = (
    "On the test images. Expected: of one training of the point; nine of ten are meant to lie "
    "between from and to (docs/search.md has how many did). The highest of several measured "
    "accuracies is too high on average: trust the expected one."
)


@dataclass(frozen=True)
class Search:
    """What a search may train, how often, and what it looks for.

    Attributes:
        budget: trainings at most.
        candidates: where a split meets all but the accuracy, which nobody knows yet.
        accuracy: that a split must reach; ``None``: the highest is sought.
        costs: by position of the candidates, the figure that decides among splits which reach it,
            the lower the better.
    """

    curve: Curve
    baseline: Stored
    budget: int
    candidates: Sequence[SplitPoint]
    accuracy: float | None = None
    costs: Mapping[int, float] = field(default_factory=dict)

    def points(self, results: Sequence[SplitResult]) -> Iterator[SplitPoint]:
        """The next point to train, again and again, by the ``results`` so far."""
        while len(results) < self.budget:
            expected = self.expected(results)
            if self.costs:
                position = next_fitting(expected, self.costs, self.accuracy or 0.0)
            else:
                position = next_point(expected, [point.index for point in self.candidates])
            if position is None and not results:
                highest = f"{max(expected[p.index].accuracy for p in self.candidates):.3f}"
                asked = f"requirement.accuracy={self.accuracy}"
                raise ValueError(f"{asked}: none is expected to reach it, at most {highest}")
            if position is None:
                log.info("the search ends after %d trainings: no other may win", len(results))
                return
            yield self.curve.points[position]

    def expected(self, results: Sequence[SplitResult]) -> list[Expectation]:
        """What every point is expected to reach, by the ``results`` so far."""
        test, curve = tested(self.baseline), self.curve
        known = {result.split.index: result.accuracy.final for result in results}
        return expectations(curve.kind, curve.values, test.accuracy, len(test.predictions), known)

    def best(self, results: Sequence[SplitResult]) -> SplitResult:
        """The best that was trained; among those that reach the accuracy asked for the cheapest."""
        fits = [r for r in results if r.accuracy.final >= (self.accuracy or 0.0)]
        if self.costs and fits:
            return min(fits, key=lambda r: (self.costs[r.split.index], -r.split.index))
        return max(results, key=lambda r: (r.accuracy.final, r.split.index))

    def findings(self, results: Sequence[SplitResult], found: Findings) -> Findings:
        """The findings of the job and, for each point, what is expected of it."""
        within = {point.index for point in self.candidates}
        expected = self.expected(results)
        rows = [
            asdict(of)
            | {"index": point.index, "label": point.label, "within_limits": point.index in within}
            | {"known": "predicted" if of.measured is None else "measured"}
            for point, of in zip(self.curve.points, expected, strict=True)
        ]
        note = NOTE + doubt(expected)
        if self.best(results).accuracy.final < (self.accuracy or 0.0):
            note += f" No trained split reaches requirement.accuracy={self.accuracy}."
        table = Table("every split point", columns_of("search"), rows, note, on_screen=True)
        content = {"kind": self.curve.kind, "budget": self.budget, "points": rows}
        files = {**found.files, "search.json": content, "search.csv": Table.of_rows("search", rows)}
        return replace(found, tables=[*found.tables, table], files=files)


def copy_result(best: Path, folder: Path) -> None:
    """The files of the best split in the folder of the search; ``result.json`` comes last.

    Each is whole or not there; the result of an earlier search goes first.
    """
    (folder / "result.json").unlink(missing_ok=True)
    for path in sorted(best.iterdir(), key=lambda path: path.name == "result.json"):
        if path.is_file() and not path.name.startswith("."):
            with replacing(folder / path.name) as copy:
                shutil.copyfile(path, copy)


def next_point(found: Sequence[Expectation], candidates: Sequence[int]) -> int | None:
    """Position of the candidate that is expected to win most over the best so far.

    First it is the one of the highest expectation; of equal ones the deeper. ``None``: none is
    left, or none is expected to win as much as ``WORTH``.
    """
    measured = {p: found[p].measured for p in candidates}
    trained = [accuracy for accuracy in measured.values() if accuracy is not None]
    left = [p for p, accuracy in measured.items() if accuracy is None]
    if not left or not trained:
        return max(left, key=lambda p: (found[p].accuracy, p), default=None)
    best = max(trained)
    winnings = {p: expected_win(found[p], best) for p in left}
    chosen = max(left, key=lambda p: (winnings[p], p))
    return chosen if winnings[chosen] >= WORTH else None


def next_fitting(
    found: Sequence[Expectation], costs: Mapping[int, float], asked: float
) -> int | None:
    """Position of the point that is expected to save most while it reaches the accuracy ``asked``.

    What it saves is against the cheapest training so far that does; before there is one, against
    more than the dearest point, so that what is likely comes before what is cheap. ``None``: none
    is left, or none is expected to save a hundredth.

    Args:
        costs: of the candidates, by position.
    """
    fits = [costs[p] for p in costs if (found[p].measured or -1.0) >= asked]
    dearest = max(costs.values())
    bound = min(fits, default=dearest + abs(dearest))
    savings = {
        p: (1 - _missed(found[p], asked)) * (bound - cost)
        for p, cost in costs.items()
        if found[p].measured is None and cost < bound
    }
    chosen = max(savings, key=lambda p: (savings[p], p), default=None)
    return chosen if chosen is not None and savings[chosen] > LEAST_SAVED * abs(bound) else None


def _missed(of: Expectation, asked: float) -> float:
    """Probability that a point's accuracy lies below ``asked``."""
    if of.deviation == 0:
        return float(of.accuracy < asked)
    return NORMAL.cdf((asked - of.accuracy) / of.deviation)


def expected_win(of: Expectation, best: float) -> float:
    """Mean of what a point lies above ``best``, nothing where it lies below; of accuracy."""
    ahead = of.accuracy - best
    if of.deviation == 0:
        return max(ahead, 0.0)
    z = ahead / of.deviation
    return ahead * NORMAL.cdf(z) + of.deviation * NORMAL.pdf(z)
