import math
from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from isplit.studies.agreement.correlation import (
    DIRECTIONS,
    correlation,
    interval,
    partial,
    resamples,
    spearman,
    target,
)

few = st.integers(-4, 4).map(float)  # so that ties are common
samples = st.integers(3, 9).flatmap(
    lambda n: st.tuples(
        st.lists(few, min_size=n, max_size=n), st.lists(few, min_size=n, max_size=n)
    )
)


SCIPYS = {
    "spearman": scipy.stats.spearmanr,
    "kendall": scipy.stats.kendalltau,
    "pearson": scipy.stats.pearsonr,
}


def ours(coefficient, x, y, draws=1, seed=0):
    return correlation(coefficient, np.array(x), target(np.array(y), draws, seed))


def kendall_by_pairs(x, y):
    """Tau-b, one pair of points after the other."""
    agreeing = untied_x = untied_y = 0
    for i, j in combinations(range(len(x)), 2):
        left = (x[i] > x[j]) - (x[i] < x[j])
        right = (y[i] > y[j]) - (y[i] < y[j])
        agreeing += left * right
        untied_x += left != 0
        untied_y += right != 0
    return agreeing / math.sqrt(untied_x * untied_y) if untied_x * untied_y else math.nan


def ranks_by_hand(values):
    """One more than the number of lower values, and half of the others that are equal."""
    return [1 + sum(v < u for v in values) + (values.count(u) - 1) / 2 for u in values]


@given(samples)
def test_a_coefficient_equals_its_slow_twin(pair):
    x, y = pair
    tau = ours("kendall", x, y).value
    assert tau == pytest.approx(kendall_by_pairs(x, y), nan_ok=True)
    both = np.array(ranks_by_hand(x)), np.array(ranks_by_hand(y))
    constant = len(set(x)) == 1 or len(set(y)) == 1
    expected = math.nan if constant else np.corrcoef(*both)[0, 1]
    assert spearman(np.array(x), np.array(y)) == pytest.approx(expected, nan_ok=True)


@given(samples)
def test_a_coefficient_equals_scipys(pair):
    x, y = pair
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert all(math.isnan(ours(name, x, y).value) for name in SCIPYS)
        return
    for name, theirs in SCIPYS.items():
        assert ours(name, x, y).value == pytest.approx(theirs(x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e-9, 1e200])
def test_values_of_any_size_have_a_coefficient(scale):
    x, y = np.array([1.0, 3.0, 2.0, 5.0]), np.array([1.0, 2.0, 3.0, 4.0])
    near = ours("pearson", x, y).value
    assert ours("pearson", scale * x, y).value == pytest.approx(near, abs=1e-12)


@pytest.mark.parametrize("name", DIRECTIONS)
def test_many_resamples_at_once_are_as_one_by_one(name):
    x = np.random.default_rng(1).integers(5, size=(50, 7)).astype(float)
    x[3] = 2.0
    together = DIRECTIONS[name](x)
    np.testing.assert_allclose(together, [DIRECTIONS[name](row) for row in x], atol=1e-15)
    assert np.isnan(together[3]).all()
    assert np.isnan(together).any(axis=1).sum() < 10


@given(samples.filter(lambda pair: len(pair[0]) > 3))
def test_partial_is_the_correlation_of_what_depth_leaves(pair):
    x, y = map(np.array, pair)
    z = np.arange(len(x), dtype=float)
    line = np.c_[np.ones_like(z), z]
    left = []
    for values in (x, y):
        ranks = scipy.stats.rankdata(values)
        left.append(ranks - line @ np.linalg.lstsq(line, ranks, rcond=None)[0])
    nothing_left = any(np.abs(residuals).max() < 1e-9 for residuals in left)
    expected = math.nan if nothing_left else np.corrcoef(*left)[0, 1]
    assert partial(x, y, z) == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_few_points_are_put_into_all_orders():
    _, orders = resamples(4, 100, seed=0)
    assert len({tuple(order) for order in orders}) == len(orders) == 24
    assert orders[0].tolist() == [0, 1, 2, 3]


def test_many_points_are_put_into_random_orders_beginning_with_the_given_one():
    draws, orders = resamples(9, 100, seed=0)
    assert orders.shape == draws.shape == (100, 9)
    assert orders[0].tolist() == list(range(9))
    assert (np.sort(orders, axis=1) == np.arange(9)).all()
    assert not np.array_equal(draws, resamples(9, 100, seed=1)[0])


@pytest.mark.parametrize("name", ["spearman", "kendall"])
def test_an_exact_p_value_equals_scipys_permutation_test(name):
    x, y = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2.0, 1.0, 4.0, 3.0, 6.0, 5.0]
    expected = scipy.stats.permutation_test(
        (x,), lambda a: SCIPYS[name](a, y).statistic, permutation_type="pairings"
    )
    assert ours(name, x, y, 1000).p == pytest.approx(expected.pvalue)


def test_a_sampled_p_value_is_near_the_exact_one():
    x, y = np.arange(7.0), np.array([2.0, 1.0, 0.0, 3.0, 6.0, 4.0, 5.0])
    exact, sampled = (ours("spearman", x, y, draws).p for draws in (5040, 4000))
    assert sampled == pytest.approx(exact, abs=4 * math.sqrt(exact / 4000))
    assert exact != sampled


def test_the_interval_is_scipys_percentile_bootstrap():
    rng = np.random.default_rng(3)
    x = rng.normal(size=18)
    y = x + rng.normal(size=18)
    found = ours("spearman", x, y, 4000).ci95
    theirs = scipy.stats.bootstrap(
        (x, y),
        lambda a, b: scipy.stats.spearmanr(a, b).statistic,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=1000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert found == pytest.approx(tuple(theirs), abs=0.06)


def test_resamples_without_a_coefficient_are_dropped():
    assert interval(np.array([math.nan, 0.5, math.nan])) == (0.5, 0.5)
    assert all(math.isnan(end) for end in interval(np.array([math.nan])))
    three = ours("spearman", [0.0, 1.0, 2.0], [0.0, 1.0, 2.0], 500)
    assert three.ci95 == (-1.0, 1.0)
    assert three.p == pytest.approx(2 / 6)  # this order and its reverse, of six
