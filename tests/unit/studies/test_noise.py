import math
from itertools import combinations
from statistics import fmean, stdev

import numpy as np
import pytest
import scipy.stats
from made_conditions import condition

from isplit.studies.agreement.noise import noise
from isplit.studies.conditions import subset_accuracies, subset_size

ACCURACIES = [0.80, 0.81, 0.90, 0.70]


def test_one_training_each_has_the_binomial_error():
    made = noise(condition(ACCURACIES))
    mean = fmean(ACCURACIES)
    assert made.spread == pytest.approx(0.20)
    assert made.binomial_error == pytest.approx(math.sqrt(mean * (1 - mean) / 2000))
    assert (made.training_error, made.repeat_spearman, made.ceiling) == (None, None, None)
    assert made.difference_error_from == "test images"
    variances = [(p * (1 - p) + q * (1 - q)) / 2000 for p, q in combinations(ACCURACIES, 2)]
    assert made.difference_error == pytest.approx(math.sqrt(fmean(variances)))
    assert made.separable == 5 / 6  # all but 0.80 and 0.81


def test_repeats_give_the_pooled_deviation_between_trainings():
    trainings = [[0.80, 0.82, 0.81], [0.70, 0.76], 0.68]
    made = noise(condition(trainings))
    pooled = math.sqrt((2 * stdev(trainings[0]) ** 2 + stdev(trainings[1]) ** 2) / 3)
    assert made.training_error == pytest.approx(pooled)
    assert made.difference_error_from == "repeated trainings"
    parts = [1 / 3 + 1 / 2, 1 / 3 + 1, 1 / 2 + 1]
    assert made.difference_error == pytest.approx(pooled * math.sqrt(fmean(parts)))
    assert made.spread == pytest.approx(0.81 - 0.68)
    differences = [0.08, 0.13, 0.05]
    beyond = [d > 2 * pooled * math.sqrt(part) for d, part in zip(differences, parts, strict=True)]
    assert made.separable == pytest.approx(fmean(beyond))
    assert 0 < made.separable < 1


def test_two_trainings_are_correlated_over_the_points_that_had_both():
    first, second = [0.5, 0.6, 0.7, 0.8], [0.6, 0.5, 0.9, 0.8]
    pairs = [list(pair) for pair in zip(first, second, strict=True)]
    made = noise(condition([*pairs, 0.1]))
    expected = scipy.stats.spearmanr(first, second).statistic
    assert made.repeat_spearman == pytest.approx(expected)
    assert made.ceiling == pytest.approx(math.sqrt(expected))


def test_every_two_of_three_trainings_count():
    runs = np.random.default_rng(0).random((6, 3))
    made = noise(condition(runs.tolist()))
    each = [
        scipy.stats.spearmanr(runs[:, a], runs[:, b]).statistic
        for a, b in combinations(range(3), 2)
    ]
    assert made.repeat_spearman == pytest.approx(fmean(each))


def test_trainings_that_contradict_each_other_leave_nothing_to_predict():
    made = noise(condition([[0.1, 0.9], [0.5, 0.5], [0.9, 0.1]]))
    assert made.repeat_spearman == pytest.approx(-1)
    assert made.ceiling == 0


def test_repeats_of_two_points_or_of_equal_accuracies_have_no_rank_correlation():
    assert noise(condition([[0.1, 0.2], [0.5, 0.5], 0.7])).repeat_spearman is None
    made = noise(condition([[0.5, 0.1], [0.5, 0.2], [0.5, 0.3]]))
    assert (made.repeat_spearman, made.ceiling) == (None, None)


def answers(images=2000, seed=0):
    """Whether each image is answered rightly at three points: nearly the same images are hard."""
    rng = np.random.default_rng(seed)
    hard = rng.random(images)
    return [hard + 0.05 * rng.normal(size=images) > level for level in (0.2, 0.22, 0.3)]


def test_paired_answers_give_the_error_of_paired_differences():
    """Over many draws of subsets, the estimate is the error computed from the answers."""
    correct = answers()
    a, b = correct[0].astype(float), correct[1].astype(float)
    exact = np.std(a - b, ddof=1) / math.sqrt(len(a))
    squares = []
    for seed in range(60):
        subsets = [subset_accuracies(right, seed=seed) for right in correct[:2]]
        made = noise(condition([a.mean(), b.mean()], subsets=subsets))
        assert made.difference_error_from == "paired answers"
        squares.append(made.difference_error**2)
    assert math.sqrt(fmean(squares)) == pytest.approx(exact, rel=0.08)
    unpaired = noise(condition([a.mean(), b.mean()])).difference_error
    assert exact < 0.7 * unpaired


def test_a_paired_error_is_never_below_what_the_difference_implies():
    flat = [[0.8] * 15, [0.7] * 15, [0.8] * 15]
    made = noise(condition([0.8, 0.7, 0.8], subsets=flat))
    assert made.difference_error == pytest.approx(math.sqrt(2 / 3 * 0.1 * 0.9 / 2000))
    assert made.separable == 2 / 3


def test_answers_that_are_known_of_some_points_alone_are_not_used():
    made = noise(condition([0.8, 0.7], subsets=[[0.8, 0.7], []]))
    assert made.difference_error_from == "test images"


def test_repeats_without_a_difference_are_no_estimate_of_chance():
    """As of one repeat that came out the same, or where there is nothing to train."""
    paired = {
        p: [a + (p * 7 + k * 3) % 9 / 1000 for k in range(15)] for p, a in enumerate(ACCURACIES)
    }
    alone = noise(condition(ACCURACIES, subsets=paired))
    made = noise(condition([[a, a] for a in ACCURACIES], subsets=paired))
    assert (made.difference_error, made.difference_error_from) == (
        alone.difference_error,
        "paired answers",
    )
    assert made.training_error == 0


def test_subsets_are_the_same_for_every_point():
    right = np.zeros(2000, dtype=bool)
    right[::3] = True
    first, again = subset_accuracies(right.tolist()), subset_accuracies(right)
    opposite = subset_accuracies(~right)
    assert first == again
    assert len(first) == 15
    assert len(set(first)) > 1
    assert [a + b for a, b in zip(first, opposite, strict=True)] == pytest.approx([1.0] * 15)
    assert subset_accuracies(right, seed=1) != first


def test_a_subset_is_800_images_drawn_once_each_or_half_of_them():
    assert [subset_size(n) for n in (1, 500, 1000, 1601, 9000)] == [1, 250, 500, 800, 800]
    right = [True] * 800 + [False] * 1200
    counts = [accuracy * 800 for accuracy in subset_accuracies(right, subsets=200)]
    assert counts == pytest.approx([round(c) for c in counts])
    # drawn without replacement: the variance of the hypergeometric distribution
    assert np.var(counts) == pytest.approx(800 * 0.4 * 0.6 * 1200 / 1999, rel=0.3)
    assert set(subset_accuracies([True, False], subsets=50)) == {0.0, 1.0}
