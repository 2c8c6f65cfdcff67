import re
from dataclasses import replace

import numpy as np
import pytest
from made_conditions import condition

from isplit.studies.agreement.agreement import agreement
from isplit.studies.agreement.noise import noise
from isplit.studies.agreement.verdict import cannot_be_told_from_chance, chance_spread, verdict
from isplit.studies.conditions import subset_accuracies
from isplit.studies.scores import Agreement, Noise, PredictorScore

NAN = float("nan")
NOISE = Noise(2000, 0.2, 0.009, None, 0.85, None, None, 0.012, "test images")


def score(rho, low, high, p=0.01, regret=0.004, n=18, single=None):
    return PredictorScore(
        n=n,
        spearman=rho,
        spearman_ci95=(low, high),
        spearman_p=p,
        kendall=rho,
        kendall_ci95=(low, high),
        kendall_p=p,
        pearson=rho,
        pearson_ci95=(low, high),
        pearson_p=p,
        spearman_given_depth=rho,
        spearman_equal_size=None,
        pick="features.3",
        regret=regret,
        auto="block5_conv2",
        auto_regret=regret,
        rule="highest interior peak",
        regret_top3=0.0,
        top3_hits=1,
        spearman_one_training=rho if single is None else single,
    )


CUI = score(0.38, -0.10, 0.70, p=0.12)
DEPTH = score(0.57, 0.12, 0.80)


def said(predictors, noise=NOISE, n=18, points=18):
    made = condition([0.5] * points)
    return verdict(made, Agreement(n, predictors, noise, ""))


def test_the_sentence_of_a_weak_cui():
    words = said({"cui": CUI, "depth": DEPTH})
    assert words.startswith(
        "N=18: CUI's order agrees with the measured one at rho=0.38 [-0.10, 0.70], which cannot be "
        "told from chance; its highest interior peak (auto), block5_conv2, loses 0.4 points of "
        "accuracy; its highest value, features.3, loses 0.4 points of accuracy; depth alone does "
        "better (0.57 [0.12, 0.80]). The accuracies spread over 20.0 points, more than chance "
        "would (standard error of a difference 1.2 points, from test images), and 85% of the pairs"
    )


def test_a_strong_cui():
    strong = replace(score(0.80, 0.50, 0.92, regret=0.0), pick="block5_conv2")
    words = said({"cui": strong, "depth": DEPTH})
    assert (
        "at rho=0.80 [0.50, 0.92]; its highest interior peak (auto), block5_conv2, is the most "
        "accurate point; depth"
    ) in words
    assert "depth alone does worse (0.57" in words
    assert "told from chance" not in words


def test_a_cui_that_is_upside_down_and_as_good_as_depth():
    wrong = score(-0.571, -0.80, -0.20)
    words = said({"cui": wrong, "depth": score(-0.573, -0.80, -0.20)})
    assert "CUI's order runs against the measured one at rho=-0.57 [-0.80, -0.20]; " in words
    assert "depth alone does as well (-0.57" in words


@pytest.mark.parametrize(
    ("interval", "p", "chance"),
    [
        ((0.1, 0.8), 0.01, False),
        ((-0.8, -0.1), 0.01, False),
        ((-0.1, 0.8), 0.01, True),
        ((0.0, 0.8), 0.01, True),
        ((1.0, 1.0), 1 / 3, True),  # three points: every resample is in order, and so is luck
        ((NAN, NAN), NAN, True),
    ],
)
def test_what_cannot_be_told_from_chance(interval, p, chance):
    assert cannot_be_told_from_chance(score(0.5, *interval, p=p)) is chance


def test_a_spread_within_the_noise_comes_first():
    words = said({"cui": CUI, "depth": DEPTH}, replace(NOISE, spread=0.02))
    assert words.startswith("N=18: the accuracies spread over 2.0 points, no more than chance")
    assert "spread 18 equal points" in words
    assert "the ranking means nothing here. CUI's order" in words
    assert "agreed best" not in words


@pytest.mark.parametrize(("points", "repeated"), [(2, 2), (18, 3), (6, 6), (18, 18)])
def test_equal_points_are_called_different_in_five_of_a_hundred_cases(points, repeated):
    """Trained once or twice, all as good as each other; what says so is the verdict's own test."""
    rng = np.random.default_rng(points + repeated)
    beyond = 0
    for _ in range(1000):
        accuracies = [
            rng.normal(0.8, 0.01, 2 if p < repeated else 1).tolist() for p in range(points)
        ]
        made = noise(condition(accuracies))
        assert made.degrees_of_freedom == repeated
        beyond += made.spread > chance_spread(made, points)
    assert 30 <= beyond <= 70


def test_equal_points_trained_once_are_called_different_in_five_of_a_hundred_cases():
    """Told by the random subsets of the test images."""
    rng = np.random.default_rng(0)
    beyond = 0
    for _ in range(300):
        right = rng.random((3, 400)) < 0.8
        subsets = [subset_accuracies(one, subsets=15, seed=0) for one in right]
        made = noise(condition(right.mean(1).tolist(), subsets=subsets, test_images=400))
        assert made.degrees_of_freedom == 2 * 14
        beyond += made.spread > chance_spread(made, 3)
    assert 6 <= beyond <= 27  # 15 +- 3 standard errors


@pytest.mark.parametrize("n", [3, 18])
def test_chance_spreads_equal_points_this_far_in_five_of_a_hundred_cases(n):
    error = 0.01
    luck = np.random.default_rng(0).normal(scale=error / np.sqrt(2), size=(20000, n))
    beyond = np.ptp(luck, axis=1) > chance_spread(replace(NOISE, difference_error=error), n)
    assert beyond.mean() == pytest.approx(0.05, abs=0.006)


def test_the_best_predictor_is_one_that_takes_no_training():
    predictors = {
        "cui": CUI,
        "depth": DEPTH,
        "probe": score(0.77, 0.48, 0.91, single=0.704),
        "minus_nmse": score(0.95, 0.90, 0.99),
        "none": score(NAN, NAN, NAN),
    }
    words = said(predictors, replace(NOISE, repeat_spearman=0.64, ceiling=0.8))
    assert "Of 3 predictors without training, probe agreed best as seen afterwards" in words
    assert "rho=0.77 [0.48, 0.91]; against single trainings that is 0.88 of what" in words
    assert "leaves to any predictor (0.80)" in words
    assert "leaves" not in said(predictors)


def test_a_cui_without_an_order_and_without_a_curve():
    flat = score(NAN, NAN, NAN)
    assert "N=18: CUI gives no order" in said({"cui": flat, "depth": DEPTH})
    assert "N=18: CUI was not computed." in said({"depth": DEPTH})
    assert "depth" not in said({"cui": CUI, "depth": flat})


def test_points_that_all_came_to_the_same():
    made = condition([0.8] * 5, curves={"cui": range(5), "depth": range(5)})
    words = agreement(made, 50).verdict
    assert "the ranking means nothing here. Every point came to the same accuracy" in words
    assert "nan" not in words


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (3, "No order of 3 points can be told from chance."),
        (4, "No order of 4 points can be told from chance."),
        (5, "5 points are few, so the intervals are rough."),
        (8, ""),
    ],
)
def test_few_points(n, words):
    told = said({"cui": CUI}, n=n, points=18)
    assert told.startswith(f"N={n} of 18 points: ")
    assert told.endswith(words)
    assert ("points are few" in told or "No order" in told) == bool(words)


def test_no_correlation_travels_without_its_interval():
    rng = np.random.default_rng(0)
    for seed in range(5):
        curves = {kind: rng.normal(size=9) for kind in ("cui", "depth", "probe")}
        accuracies = (rng.random((9, 1)) + 0.01 * rng.random((9, 2))).tolist()
        words = agreement(condition(accuracies, curves=curves), 50, seed).verdict
        assert words.startswith("N=9: ")
        assert 2 <= words.count(". ") + 1 <= 4
        assert len(re.findall(r"-?\d\.\d\d \[-?\d\.\d\d, -?\d\.\d\d\]", words)) == 3
