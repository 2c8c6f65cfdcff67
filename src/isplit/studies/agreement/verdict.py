"""What the numbers come to, in words, and nothing that does not follow from them."""

import math
from collections.abc import Iterable
from functools import cache

from scipy.stats import studentized_range

from isplit.studies.conditions import MEASURED, Condition
from isplit.studies.scores import Agreement, Interval, Noise, PredictorScore

FEW_POINTS = 8  # below, a bootstrap over the points has little to draw from
SIGNIFICANT = 0.05


def verdict(condition: Condition, agreement: Agreement) -> str:
    """Two to four sentences on whether to trust the ranking on this model.

    How CUI's order agrees with the measured one and what its pick costs; whether the accuracies
    spread more than their noise (this comes first where they do not); and where they do, which of
    the predictors that take no training agreed best, and what part that is of the agreement that
    noise leaves to any (an estimate, so it may exceed one by chance). An agreement
    *cannot be told from chance* when its interval contains zero or its permutation p-value exceeds
    0.05. The spread is *no more than chance* below the 95 % point of the range that as many
    equally good points would show.
    """
    of_noise = _noise_sentence(agreement)
    of_cui = _cui_sentence(agreement)
    first = [of_noise, of_cui] if _means_nothing(agreement) else [of_cui, of_noise]
    sentences = [*first, _best_sentence(agreement), _few_sentence(agreement.n)]
    total = len(condition.points)
    of_how_many = f"N={agreement.n}" + (f" of {total} points" if agreement.n < total else "")
    return told(of_how_many, sentences)


def _cui_sentence(agreement: Agreement) -> str:
    """How CUI's order agrees, what its pick costs, whether depth does better."""
    cui = agreement.predictors.get("cui")
    if cui is None:
        return "CUI was not computed"
    if agreement.noise.spread == 0:
        return "every point came to the same accuracy, so there is no order to agree with"
    if math.isnan(cui.spearman):
        return "CUI gives no order, as it has one value for all points or none"
    against = "agrees with" if cui.spearman >= 0 else "runs against"
    sentence = f"CUI's order {against} the measured one at rho={_rho(cui)}"
    if cannot_be_told_from_chance(cui):
        sentence += ", which cannot be told from chance"
    return f"{sentence}; {price(cui)}{_depth(agreement, cui)}"


def cannot_be_told_from_chance(score: PredictorScore) -> bool:
    """Whether the interval of the rank correlation contains zero, or its p-value is over 0.05."""
    low, high = score.spearman_ci95
    return not (low > 0 or high < 0) or not score.spearman_p <= SIGNIFICANT


def price(score: PredictorScore) -> str:
    """What its auto choice loses, and what its highest value loses where that is another point."""
    said = f"its {score.rule} (auto), {score.auto}, {_loss(score.auto_regret)}"
    if score.pick == score.auto:
        return said
    return f"{said}; its highest value, {score.pick}, {_loss(score.regret)}"


def _loss(regret: float) -> str:
    return f"loses {in_points(regret)} of accuracy" if regret else "is the most accurate point"


def _depth(agreement: Agreement, cui: PredictorScore) -> str:
    """How depth alone compares."""
    depth = agreement.predictors.get("depth")
    if depth is None or math.isnan(depth.spearman):
        return ""
    ahead = round(depth.spearman, 2) - round(cui.spearman, 2)  # as they are shown
    does = "better" if ahead > 0 else "worse" if ahead < 0 else "as well"
    return f"; depth alone does {does} ({_rho(depth)})"


def _noise_sentence(agreement: Agreement) -> str:
    """Whether the accuracies spread more than chance would make them."""
    noise = agreement.noise
    spread = f"the accuracies spread over {in_points(noise.spread)}"
    error = f"{in_points(noise.difference_error)}, from {noise.difference_error_from}"
    if _means_nothing(agreement):
        return (
            f"{spread}, no more than chance would spread {agreement.n} equal points (standard "
            f"error of a difference {error}): the ranking means nothing here"
        )
    return (
        f"{spread}, more than chance would (standard error of a difference {error}), and "
        f"{noise.separable:.0%} of the pairs of points differ by more than twice theirs"
    )


def _means_nothing(agreement: Agreement) -> bool:
    return agreement.noise.spread <= chance_spread(agreement.noise, agreement.n)


def chance_spread(noise: Noise, n: int) -> float:
    """The range that ``n`` equally good points exceed by chance in 5 of 100 cases.

    The 95 % point of the studentised range of n normal values, with the degrees of freedom that the
    estimate of their error has; their error is that of a difference over the square root of two.
    """
    freedom = noise.degrees_of_freedom or math.inf
    return _range_95(n, freedom) * noise.difference_error / math.sqrt(2)


@cache
def _range_95(n: int, freedom: float) -> float:
    """In errors of one value; an integral that takes a while."""
    return float(studentized_range.ppf(0.95, n, freedom))


def _best_sentence(agreement: Agreement) -> str:
    """Which predictor without training agreed best, and how near that is to the ceiling."""
    cheap = {
        name: score
        for name, score in agreement.predictors.items()
        if name not in MEASURED and not math.isnan(score.spearman)
    }
    if len(cheap) < 2 or _means_nothing(agreement):
        return ""
    name, best = max(cheap.items(), key=lambda item: item[1].spearman)
    sentence = (
        f"of {len(cheap)} predictors without training, {called(name)} agreed best as seen "
        f"afterwards: rho={_rho(best)}"
    )
    if not agreement.noise.ceiling:
        return sentence
    share = best.spearman_one_training / agreement.noise.ceiling
    return (
        f"{sentence}; against single trainings that is {share:.2f} of what their noise leaves to "
        f"any predictor ({agreement.noise.ceiling:.2f})"
    )


def _few_sentence(n: int) -> str:
    if n >= FEW_POINTS:
        return ""
    if 2 / math.factorial(n) > SIGNIFICANT:
        return f"no order of {n} points can be told from chance"
    return f"{n} points are few, so the intervals are rough"


def called(predictor: str) -> str:
    """What a predictor is called in a sentence."""
    return "CUI" if predictor == "cui" else predictor


def _rho(score: PredictorScore) -> str:
    return estimate(score.spearman, score.spearman_ci95)


def estimate(value: float, interval: Interval) -> str:
    """With its interval in brackets, where there is one."""
    low, high = interval
    return f"{value:.2f}" if math.isnan(low) else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def in_points(accuracy: float) -> str:
    """A difference of accuracies in percentage points."""
    return f"{100 * accuracy:.1f} points"


def told(opening: str, sentences: Iterable[str]) -> str:
    """What is there to say, as sentences; the first follows a colon."""
    said = [words for words in sentences if words]
    rest = (words[0].upper() + words[1:] for words in said[1:])
    return f"{opening}: " + " ".join(f"{words}." for words in [*said[:1], *rest])
