"""What the study of agreement comes to: the values that its tables and figures are made from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

Interval = tuple[float, float]
"""Lower and upper end of a 95 % interval."""


@dataclass(frozen=True)
class PredictorScore:
    """How one predictor's order agrees with the measured accuracy over ``n`` split points.

    Attributes:
        spearman: rank correlation; NaN where the predictor has one value for all points.
        spearman_ci95: bootstrap interval over the points.
        spearman_p: of a permutation test against no association, two-sided.
        spearman_given_depth: partial rank correlation with the index of the point partialled out.
        spearman_equal_size: mean rank correlation among points of equally many feature elements,
            weighted by their number; ``None`` where no three are of one size.
        pick: label of the point with the highest value.
        regret: accuracy of the best point minus that of ``pick``, 0..1.
        regret_top3: the same for the best of its three highest.
        auto: label of the point that ``split.layer=auto`` would choose by it, by its ``rule``.
        auto_regret: the same for that one.
        top3_hits: how many of its three highest are among the three most accurate (all that are
            as accurate as the third).
        spearman_one_training: rank correlation with the accuracies of a single training of each
            point, mean over the trainings that all points had; what ``Noise.ceiling`` bounds.
    """

    n: int
    spearman: float
    spearman_ci95: Interval
    spearman_p: float
    kendall: float
    kendall_ci95: Interval
    kendall_p: float
    pearson: float
    pearson_ci95: Interval
    pearson_p: float
    spearman_given_depth: float
    spearman_equal_size: float | None
    pick: str
    regret: float
    regret_top3: float
    top3_hits: int
    auto: str = ""
    rule: str = "highest value"
    auto_regret: float = math.nan
    spearman_one_training: float = math.nan


@dataclass(frozen=True)
class Noise:
    """How far the measured accuracies would move by chance alone.

    Attributes:
        spread: highest minus lowest accuracy over the points.
        binomial_error: standard error of one accuracy from the number of test images.
        training_error: standard deviation between repeated trainings of a point, pooled over the
            points; ``None`` without repeats.
        separable: part of the pairs of points whose difference exceeds twice its standard error.
        repeat_spearman: mean rank correlation of two trainings; ``None`` without repeats.
        ceiling: the rank correlation that a perfect predictor would be expected to reach with one
            training: the square root of ``repeat_spearman``; ``None`` without repeats.
        difference_error: standard error of the difference of two points, root mean square over
            the pairs.
        difference_error_from: what it was estimated from: ``repeated trainings``, ``paired
            answers`` (the random subsets) or ``test images`` (binomial, as if unpaired).
        degrees_of_freedom: of that estimate; ``None``: of the binomial one, which has none to lose.
    """

    test_images: int
    spread: float
    binomial_error: float
    training_error: float | None
    separable: float
    repeat_spearman: float | None
    ceiling: float | None
    difference_error: float = math.nan
    difference_error_from: str = ""
    degrees_of_freedom: int | None = None


@dataclass(frozen=True)
class Agreement:
    """Every predictor against what was measured, with a verdict in words."""

    n: int
    predictors: Mapping[str, PredictorScore]
    noise: Noise
    verdict: str


@dataclass(frozen=True)
class Standing:
    """One predictor over all conditions that have a rank correlation for it.

    Attributes:
        conditions: how many those are; only predictors in all of them are comparable.
        trains: whether it takes training, of the bottlenecks or of its own.
        mean_spearman: over the conditions; ``lowest`` and ``highest`` of them beside it.
        mean_spearman_ci95: bootstrap interval over the conditions; NaN for a single one.
        above_cui: mean difference to CUI's rank correlation, over the conditions with both.
        above_cui_ci95: bootstrap interval of that.
        beats_cui: in how many of the ``against_cui`` conditions with both it is higher than CUI.
        mean_regret: accuracy lost by the pick, mean over the conditions; ``mean_regret_top3``
            by the best of three.
        share_of_ceiling: its mean rank correlation with the accuracies of single trainings over
            the ceiling, both over the conditions with repeats; ``None`` where there are none.
    """

    predictor: str
    conditions: int
    trains: bool
    mean_spearman: float
    mean_spearman_ci95: Interval
    lowest: float
    highest: float
    above_cui: float
    above_cui_ci95: Interval
    beats_cui: int
    against_cui: int
    mean_regret: float
    mean_regret_top3: float
    share_of_ceiling: float | None


@dataclass(frozen=True)
class Leaderboard:
    """The predictors over several conditions, those in all of them first, the best first.

    Attributes:
        conditions: names of those that have an agreement.
        standings: one per predictor.
        spearman: of each predictor in each condition, in their order; NaN where there is none.
        repeat_conditions: conditions with repeated trainings.
        repeat_spearman: mean over these of the rank correlation of two trainings.
        ceiling: the square root of that: the mean that a perfect predictor would come to.
        verdict: in words.
        left_out: conditions without an agreement.
    """

    conditions: tuple[str, ...]
    standings: tuple[Standing, ...]
    spearman: Mapping[str, tuple[float, ...]]
    repeat_conditions: int
    repeat_spearman: float | None
    ceiling: float | None
    verdict: str = ""
    left_out: tuple[str, ...] = ()
