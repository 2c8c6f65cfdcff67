"""Rank and linear correlations, with the bootstrap interval and the permutation p-value of each.

Each coefficient is the cosine of the angle between what one makes of the two samples: distances
from the mean (Pearson), the same of the ranks (Spearman), or which of two points is higher, for
every pair (Kendall's tau-b). scipy's functions say the same, as the tests hold, for one pair of
samples at a time; here all resamples go at once. What is made of a sample is along the last axis.

Shape suffixes: D draws, O orders, N points.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from isplit.studies.scores import Interval

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

FEWEST_POINTS = 3  # two points agree or disagree: no order to correlate
ROUNDING = 1e-12  # two orders of the points that should tie may differ by this much
INTERVAL = (2.5, 97.5)  # percentiles
NORMAL_95 = 1.96
RANKS_ERROR = 1.03  # of Fisher's z of ranks, over the root of n - 3 (Fieller et al. 1957)


@dataclass(frozen=True)
class Correlation:
    """A coefficient with its 95 % interval and p-value; NaN where it is not defined."""

    value: float
    ci95: Interval
    p: float


NOTHING = Correlation(math.nan, (math.nan, math.nan), math.nan)
"""Of samples that have no correlation."""


@dataclass(frozen=True)
class Target:
    """A sample that others are compared with, resampled once for all of them.

    Attributes:
        draws: indices (D, N) of the bootstrap samples.
        drawn: direction of each bootstrap sample, by coefficient.
        ordered: direction of each order of the points, the given one first, by coefficient.
    """

    draws: Indices
    drawn: Mapping[str, Floats]
    ordered: Mapping[str, Floats]


def target(y: Floats, draws: int, seed: int) -> Target:
    """The sample ``y`` to be compared with, in ``draws`` bootstrap samples and orders."""
    draws_DN, orders_ON = resamples(len(y), draws, seed)
    return Target(
        draws=draws_DN,
        drawn={name: direction(y[draws_DN]) for name, direction in DIRECTIONS.items()},
        ordered={name: direction(y[orders_ON]) for name, direction in DIRECTIONS.items()},
    )


def coefficients(x: Floats, to: Target | None) -> dict[str, Any]:
    """Each coefficient of ``x`` and the target's sample by its name, with ``_ci95`` and ``_p``.

    ``None``: there are too few points, and all are NaN.
    """
    found: dict[str, Any] = {}
    for name in DIRECTIONS:
        one = NOTHING if to is None else correlation(name, x, to)
        found |= {name: one.value, f"{name}_ci95": one.ci95, f"{name}_p": one.p}
    return found


def correlation(coefficient: str, x: Floats, to: Target) -> Correlation:
    """``spearman``, ``kendall`` or ``pearson`` of ``x`` and the target's sample.

    The interval is the percentile bootstrap's; samples in which a side is constant have no
    coefficient and are dropped. Of three points it is everything. Where no sample moved the
    coefficient, which is then 1 or -1, it is that of an order with two neighbours swapped. The
    p-value is the part of the orders, the given one among them, whose coefficient is at least as
    far from zero: two-sided, exact where they are all there are.
    """
    direction = DIRECTIONS[coefficient]
    ordered_O = _cosine(to.ordered[coefficient], direction(x))
    value = float(ordered_O[0])
    if math.isnan(value):
        return NOTHING
    drawn_D = _cosine(to.drawn[coefficient], direction(x[to.draws]))
    p = float(np.mean(np.abs(ordered_O) >= abs(value) - ROUNDING))
    low, high = interval(drawn_D)
    if len(x) == FEWEST_POINTS or high - low < ROUNDING:
        low, high = _with_two_swapped(len(x), value)
    return Correlation(value, (low, high), p)


def resamples(n: int, draws: int, seed: int) -> tuple[Indices, Indices]:
    """``draws`` bootstrap samples of ``n`` points, and as many orders, the given one first.

    Where ``n`` points have no more than ``draws`` orders, these are all of them.
    """
    rng = np.random.default_rng(seed)
    draws_DN = rng.integers(n, size=(draws, n))
    if math.factorial(n) <= draws:
        return draws_DN, np.array(list(permutations(range(n))))
    orders_ON = rng.permuted(np.tile(np.arange(n), (draws, 1)), axis=1)
    orders_ON[0] = np.arange(n)
    return draws_DN, orders_ON


def interval(drawn: Floats) -> Interval:
    """The middle 95 % of the values that are not NaN."""
    kept = drawn[~np.isnan(drawn)]
    if not len(kept):
        return NOTHING.ci95
    low, high = np.percentile(kept, INTERVAL)
    return float(low), float(high)


def mean_of(values: ArrayLike) -> float:
    """The mean of the values that are not NaN; NaN where there are none."""
    each = np.asarray(values, np.float64)
    kept = each[~np.isnan(each)]
    return float(kept.mean()) if len(kept) else math.nan


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Rank correlation, equal values with their mean rank; NaN where a side is constant."""
    return float(_cosine(_ranks(x), _ranks(y)))


def partial(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> float:
    """Rank correlation of x and y with z partialled out; NaN where z says all about one of them.

    Equal to the linear correlation of what remains of the ranks of x and of y after a straight
    line through the ranks of z.
    """
    xy, xz, yz = spearman(x, y), spearman(x, z), spearman(y, z)
    free_x, free_y = 1 - xz**2, 1 - yz**2
    if not (free_x > ROUNDING and free_y > ROUNDING):  # also where one of them is NaN
        return math.nan
    return (xy - xz * yz) / math.sqrt(free_x * free_y)


def _with_two_swapped(n: int, value: float) -> Interval:
    """Fisher's interval of the rank correlation of ``n`` points with two neighbours swapped.

    It ends at 1 or -1, whichever the value is at; of three points it is everything.
    """
    if n <= FEWEST_POINTS:
        return -1.0, 1.0
    swapped = 1 - 12 / (n * (n**2 - 1))  # 1 - 6 sum d^2 / (n (n^2 - 1)), d = 1 and -1
    low = math.tanh(math.atanh(swapped) - NORMAL_95 * RANKS_ERROR / math.sqrt(n - 3))
    return (low, 1.0) if value > 0 else (-1.0, -low)


def _distances(x: Floats) -> Floats:
    """From the mean, in units of the largest before the length is taken: squares stay in range."""
    constant = np.ptp(x, axis=-1, keepdims=True) == 0
    distance = np.where(constant, np.nan, x - x.mean(-1, keepdims=True))
    return _unit(distance / np.abs(distance).max(-1, keepdims=True))


def _ranks(x: ArrayLike) -> Floats:
    """Distances of the ranks from their mean, equal values with their mean rank."""
    return _distances(rankdata(np.asarray(x, np.float64), axis=-1))


def _pair_signs(x: Floats) -> Floats:
    """-1, 0 or 1 for every pair of points: which of the two is higher."""
    first, second = np.triu_indices(x.shape[-1], k=1)
    one, other = x[..., first], x[..., second]
    return _unit(np.subtract(one > other, one < other, dtype=np.float64))


def _unit(vectors: Floats) -> Floats:
    """The same directions with length one; NaN where there is no length."""
    length = np.sqrt(np.einsum("...i,...i", vectors, vectors))[..., None]
    return np.asarray(vectors / np.where(length == 0, np.nan, length))


def _cosine(x: Floats, y: Floats) -> Floats:
    """Of directions of length one."""
    return np.asarray(np.clip(np.einsum("...i,...i", x, y), -1.0, 1.0))


DIRECTIONS: dict[str, Callable[[Floats], Floats]] = {
    "spearman": _ranks,
    "kendall": _pair_signs,
    "pearson": _distances,
}
"""What each coefficient makes of a sample, as vectors of length one."""
