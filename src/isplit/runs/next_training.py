"""Which split point a search trains next, by what is expected of all of them."""

from collections.abc import Mapping, Sequence
from statistics import NormalDist

from isplit.search import Expectation

WORTH = 0.0005  # accuracy: less than what two trainings of one point differ by
LEAST_SAVED = 0.01  # of the cost
NORMAL = NormalDist()


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
