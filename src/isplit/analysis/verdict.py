"""What the numbers come to, in words, and nothing that does not follow from them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from scipy.stats import studentized_range

from isplit.analysis.findings import (
    Agreement,
    Condition,
    Interval,
    Leaderboard,
    Noise,
    PredictorScore,
    Standing,
)

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
    sentences = [*first, _best_sentence(condition, agreement), _few_sentence(agreement.n)]
    total = len(condition.points)
    of_how_many = f"N={agreement.n}" + (f" of {total} points" if agreement.n < total else "")
    return _told(of_how_many, sentences)


def leaderboard_verdict(board: Leaderboard) -> str:
    """One to three sentences: which predictor leads, by how much, and whether CUI beats depth."""
    if not board.conditions:
        return "Nothing to compare: in no condition were three split points retrained."
    n = len(board.conditions)
    cheap = [s for s in board.standings if s.conditions == n and not s.trains]
    alone = "" if n > 1 else "one condition says nothing about others"
    sentences = [_lead(board, cheap), _cui_against_depth(board), alone]
    return _told(f"N={n} condition{'s' * (n > 1)}", sentences)


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
    return f"{sentence}; {_price(cui)}{_depth(agreement, cui)}"


def cannot_be_told_from_chance(score: PredictorScore) -> bool:
    """Whether the interval of the rank correlation contains zero, or its p-value is over 0.05."""
    low, high = score.spearman_ci95
    return not (low > 0 or high < 0) or not score.spearman_p <= SIGNIFICANT


def _price(score: PredictorScore) -> str:
    if score.auto_regret == 0:
        return f"its choice, {score.auto}, is the most accurate point"
    return f"its choice, {score.auto}, costs {_points(score.auto_regret)} of accuracy"


def _depth(agreement: Agreement, cui: PredictorScore) -> str:
    """How depth alone compares."""
    depth = agreement.predictors.get("depth")
    if depth is None or math.isnan(depth.spearman):
        return ""
    return f"; depth alone does {_compared(depth.spearman, cui.spearman)} ({_rho(depth)})"


def _noise_sentence(agreement: Agreement) -> str:
    """Whether the accuracies spread more than chance would make them."""
    noise = agreement.noise
    spread = f"the accuracies spread over {_points(noise.spread)}"
    error = f"{_points(noise.difference_error)}, from {noise.difference_error_from}"
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

    The 95 % point of the range of n normal values, whose error is that of a difference over the
    square root of two.
    """
    return float(studentized_range.ppf(0.95, n, np.inf)) * noise.difference_error / math.sqrt(2)


def _best_sentence(condition: Condition, agreement: Agreement) -> str:
    """Which predictor without training agreed best, and how near that is to the ceiling."""
    cheap = {
        name: score
        for name, score in agreement.predictors.items()
        if not condition.trains(name) and not math.isnan(score.spearman)
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


def _lead(board: Leaderboard, cheap: list[Standing]) -> str:
    """Who leads the predictors without training that are in every condition."""
    if not cheap:
        return "no predictor without training has a rank correlation in all of them"
    best, *others = cheap
    sentence = (
        f"{called(best.predictor)} leads the predictors without training with a mean rho of "
        f"{_mean(best)}"
    )
    if best.share_of_ceiling is not None:
        repeated, of = board.repeat_conditions, len(board.conditions)
        where = "" if repeated == of else f", over the {repeated} of {of} trained more than once"
        sentence += (
            f", against single trainings {best.share_of_ceiling:.2f} of what their noise leaves to "
            f"any ({board.ceiling:.2f}{where})"
        )
    if others:
        sentence += f"; next comes {called(others[0].predictor)} ({_mean(others[0])})"
    if best.against_cui and best.predictor != "cui":
        sentence += f"; it is above CUI in {best.beats_cui} of {best.against_cui}"
    return sentence


def _cui_against_depth(board: Leaderboard) -> str:
    """Whether CUI's mean is above depth's, over the conditions that have both."""
    cui, depth = (_standing(board.standings, name) for name in ("cui", "depth"))
    if cui is None or depth is None:
        return ""
    pairs = zip(board.spearman["cui"], board.spearman["depth"], strict=True)
    both = [(c, d) for c, d in pairs if not math.isnan(c) and not math.isnan(d)]
    wins = sum(c > d for c, d in both)
    return (
        f"against depth ({_mean(depth)}) CUI does "
        f"{_compared(cui.mean_spearman, depth.mean_spearman)} ({_mean(cui)}), above it in {wins} "
        f"of {len(both)}"
    )


def _standing(standings: Iterable[Standing], predictor: str) -> Standing | None:
    return next((s for s in standings if s.predictor == predictor and s.conditions), None)


def _compared(one: float, other: float) -> str:
    """How a coefficient stands to another, to the two decimals that are shown."""
    difference = round(one, 2) - round(other, 2)
    return "better" if difference > 0 else "worse" if difference < 0 else "as well"


def called(predictor: str) -> str:
    """What a predictor is called in a sentence."""
    return "CUI" if predictor == "cui" else predictor


def _rho(score: PredictorScore) -> str:
    return f"{score.spearman:.2f} {_between(score.spearman_ci95)}"


def _mean(standing: Standing) -> str:
    if math.isnan(standing.mean_spearman_ci95[0]):
        return f"{standing.mean_spearman:.2f}"
    return f"{standing.mean_spearman:.2f} {_between(standing.mean_spearman_ci95)}"


def _between(interval: Interval) -> str:
    return f"[{interval[0]:.2f}, {interval[1]:.2f}]"


def _points(accuracy: float) -> str:
    """A difference of accuracies in percentage points."""
    return f"{100 * accuracy:.1f} points"


def _told(opening: str, sentences: Iterable[str]) -> str:
    """What is there to say, as sentences; the first follows a colon."""
    said = [words for words in sentences if words]
    rest = (words[0].upper() + words[1:] for words in said[1:])
    return f"{opening}: " + " ".join(f"{words}." for words in [*said[:1], *rest])
