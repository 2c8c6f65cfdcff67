"""Correlations of many resamples at once, with their bootstrap interval and permutation p-value.

scipy's own functions say the same (the tests hold them side by side) but take one pair of samples
at a time. All work along the last axis. Shape suffixes: D draws, O orders, N points.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from isplit.analysis.findings import Interval

Floats = NDArray[np.float64]
Statistic = Callable[[Floats, Floats], Floats]

ROUNDING = 1e-12  # two orders of the points that should tie may differ by this much
INTERVAL = (2.5, 97.5)  # percentiles


@dataclass(frozen=True)
class Resamples:
    """The same chance for every predictor: points drawn again (D, N), and reordered (O, N)."""

    draws: NDArray[np.intp]
    orders: NDArray[np.intp]


@dataclass(frozen=True)
class Correlation:
    """A coefficient with its 95 % interval and p-value; NaN where it is not defined."""

    value: float
    ci95: Interval
    p: float


@lru_cache(maxsize=32)
def resamples(n: int, draws: int, seed: int) -> Resamples:
    """``draws`` bootstrap samples of ``n`` points and as many orders of them, the given one first.

    Where ``n`` points have no more than ``draws`` orders, these are all of them.
    """
    rng = np.random.default_rng(seed)
    draws_DN = rng.integers(n, size=(draws, n))
    if math.factorial(n) <= draws:
        return Resamples(draws_DN, np.array(list(permutations(range(n)))))
    orders_ON = rng.permuted(np.tile(np.arange(n), (draws, 1)), axis=1)
    orders_ON[0] = np.arange(n)
    return Resamples(draws_DN, orders_ON)


def correlation(statistic: Statistic, x: Floats, y: Floats, chance: Resamples) -> Correlation:
    """A coefficient of two samples, its percentile interval, and its two-sided p-value.

    Resamples in which a side is constant have no coefficient and are dropped from the interval.
    The p-value is the part of the orders, the given one among them, whose coefficient is at least
    as far from zero; it is exact where the orders are all there are.
    """
    drawn_D = statistic(x[chance.draws], y[chance.draws])
    ordered_O = np.abs(statistic(x, y[chance.orders]))
    value = float(statistic(x, y))
    p = math.nan if math.isnan(value) else float(np.mean(ordered_O >= abs(value) - ROUNDING))
    return Correlation(value, interval(drawn_D) if not math.isnan(value) else NOTHING.ci95, p)


def interval(drawn: Floats) -> Interval:
    """The middle 95 % of the values that are not NaN."""
    kept = drawn[~np.isnan(drawn)]
    if not len(kept):
        return NOTHING.ci95
    low, high = np.percentile(kept, INTERVAL)
    return float(low), float(high)


def spearman(x: Floats, y: Floats) -> Floats:
    """Rank correlation, equal values with their mean rank; NaN where a side is constant."""
    return pearson(rankdata(x, axis=-1), rankdata(y, axis=-1))


def kendall(x: Floats, y: Floats) -> Floats:
    """Kendall's tau-b: pairs in the same order minus pairs in the opposite one, over those untied.

    NaN where a side is constant.
    """
    x_signs, y_signs = _pair_signs(x), _pair_signs(y)
    untied = np.sqrt(np.abs(x_signs).sum(-1) * np.abs(y_signs).sum(-1))
    with np.errstate(invalid="ignore"):
        return np.asarray((x_signs * y_signs).sum(-1) / untied)


def pearson(x: Floats, y: Floats) -> Floats:
    """Linear correlation; NaN where a side is constant."""
    x, y = _centred(x), _centred(y)
    product = (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    return np.asarray(np.clip(product, -1.0, 1.0))


def partial(x: Floats, y: Floats, z: Floats) -> float:
    """Rank correlation of x and y with z partialled out; NaN where z says all about one of them.

    Equal to the linear correlation of what remains of the ranks of x and of y after a straight
    line through the ranks of z.
    """
    xy, xz, yz = (float(spearman(*pair)) for pair in ((x, y), (x, z), (y, z)))
    free_x, free_y = 1 - xz**2, 1 - yz**2
    if not (free_x > ROUNDING and free_y > ROUNDING):  # also where one of them is NaN
        return math.nan
    return (xy - xz * yz) / math.sqrt(free_x * free_y)


NOTHING = Correlation(math.nan, (math.nan, math.nan), math.nan)
"""Of samples that have no correlation."""


def _pair_signs(x: Floats) -> NDArray[np.int64]:
    """-1, 0 or 1 for every pair of points: which of the two is higher."""
    first, second = np.triu_indices(x.shape[-1], k=1)
    x = np.asarray(x)
    signs = np.greater(x[..., first], x[..., second]).astype(np.int64)
    return signs - np.less(x[..., first], x[..., second])


def _centred(x: Floats) -> Floats:
    """Distances from the mean in units of the largest, so that squares stay in range."""
    constant = np.ptp(x, axis=-1, keepdims=True) == 0
    distance = np.where(constant, np.nan, x - x.mean(-1, keepdims=True))
    return np.asarray(distance / np.abs(distance).max(-1, keepdims=True))
