"""Which point to train next."""

from collections.abc import Sequence
from statistics import NormalDist

from isplit.search.expectation import Expectation

WORTH = 0.0005  # accuracy: less than what two trainings of one point differ by
NORMAL = NormalDist()


def next_point(found: Sequence[Expectation], candidates: Sequence[int]) -> int | None:
    """Position of the candidate that is expected to win most over the best so far.

    First it is the one of the highest expectation; of equal ones the deeper. ``None``: none is
    left, or none is expected to win as much as ``WORTH``.
    """
    trained = [found[p].measured for p in candidates if found[p].measured is not None]
    left = [p for p in candidates if found[p].measured is None]
    if not left or not trained:
        return max(left, key=lambda p: (found[p].accuracy, p), default=None)
    best = max(accuracy for accuracy in trained if accuracy is not None)
    winnings = {p: expected_win(found[p], best) for p in left}
    chosen = max(left, key=lambda p: (winnings[p], p))
    return chosen if winnings[chosen] >= WORTH else None


def expected_win(of: Expectation, best: float) -> float:
    """Mean of what a point lies above ``best``, nothing where it lies below; of accuracy."""
    ahead = of.accuracy - best
    if of.deviation == 0:
        return max(ahead, 0.0)
    z = ahead / of.deviation
    return ahead * NORMAL.cdf(z) + of.deviation * NORMAL.pdf(z)
