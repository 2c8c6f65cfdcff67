"""What the study of agreement comes to: the values that its tables and figures are made from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

Interval = tuple[float, float]
"""Lower and upper end of a 95 % interval."""


def or_least(value: float) -> float:
    """The value to sort by: what is not known comes below all."""
    return -math.inf if math.isnan(value) else value


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
    """Every predictor against what was measured, with a verdict in words.

    Attributes:
        half: the same over the points whose head has at most half of the multiply-accumulates;
            empty where fewer than three of them were retrained.
    """

    n: int
    predictors: Mapping[str, PredictorScore]
    noise: Noise
    verdict: str
    half: Mapping[str, PredictorScore] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """One predictor over all conditions that have a rank correlation for it.

    Attributes:
        conditions: how many those are; only predictors in all of them are comparable.
        trains: whether it takes training, of the bottlenecks or of its own.
        mean_spearman: over the conditions; ``lowest`` and ``highest`` of them beside it.
        mean_spearman_ci95: bootstrap interval over the conditions, all of one net and data set
            drawn together; NaN where they are all of one.
        beats_cui: in how many of the ``against_cui`` conditions with both it is higher than CUI.
        rule: what ``split.layer=auto`` takes by it.
        mean_regret: accuracy lost by taking that, mean over the conditions; ``worst_regret``.
        half_mean_spearman: these again among the points with at most half of the operations
            on the device (``Agreement.half``), over the conditions that have an order of these.
        families: mean rank correlation in the conditions of each family of nets.
    """

    predictor: str
    conditions: int
    trains: bool
    mean_spearman: float
    mean_spearman_ci95: Interval
    lowest: float
    highest: float
    beats_cui: int
    against_cui: int
    rule: str
    mean_regret: float
    worst_regret: float
    half_mean_spearman: float
    half_mean_spearman_ci95: Interval
    half_mean_regret: float
    half_worst_regret: float
    families: Mapping[str, float]


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
        tied: predictors without training that cannot be told from the leader of these: the interval
            of the mean difference contains zero; likewise ``half_tied`` of the points of ``half``.
        verdict: in words.
        left_out: conditions without an agreement.
    """

    conditions: tuple[str, ...]
    standings: tuple[Standing, ...]
    spearman: Mapping[str, tuple[float, ...]]
    repeat_conditions: int
    repeat_spearman: float | None
    ceiling: float | None
    tied: tuple[str, ...] = ()
    half_tied: tuple[str, ...] = ()
    verdict: str = ""
    left_out: tuple[str, ...] = ()
