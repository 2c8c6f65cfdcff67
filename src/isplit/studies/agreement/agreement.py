"""How far each predictor's order of the split points agrees with the accuracy that was measured.

Shape suffix: N points.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from isplit.importance import SAID, auto_rule, taken
from isplit.studies.agreement.correlation import (
    FEWEST_POINTS,
    Target,
    coefficients,
    partial,
    target,
)
from isplit.studies.agreement.noise import equal_size, noise, one_training
from isplit.studies.agreement.verdict import verdict
from isplit.studies.conditions import MEASURED, Condition, Retrained
from isplit.studies.scores import Agreement, PredictorScore

Accuracies = tuple[float, ...]

TOP = 3


def predictor_values(condition: Condition) -> dict[str, dict[int, float]]:
    """What each predictor said about each retrained position, by its name.

    First the curves, in their order, then the two that the training itself gives: ``minus_nmse``
    (of the trained bottleneck's reconstruction) and ``after_autoencoder`` (test accuracy before
    fine-tuning), where there was one.
    """
    values = {
        name: {r.position: curve.values[r.position] for r in condition.retrained}
        for name, curve in condition.curves.items()
    }
    measured = {
        name: {r.position: r.measured[name] for r in condition.retrained}
        for name in MEASURED
        if all(name in r.measured for r in condition.retrained)
    }
    return values | measured


def ranking(condition: Condition, values: Mapping[int, float]) -> list[Retrained]:
    """The retrained points that have a value, the highest first, of equal ones the deepest."""
    known = [r for r in condition.retrained if math.isfinite(values[r.position])]
    return sorted(known, key=lambda r: (-values[r.position], -r.position))


def agreement(condition: Condition, draws: int = 2000, seed: int = 0) -> Agreement:
    """Every predictor against the accuracies of the retrained points, their noise, and a verdict.

    Only points that were retrained take part: a predictor picks among these, ties going to the
    deeper point as in ``Curve.ranking``. Accuracy is the mean over a point's trainings. A value
    that is not finite counts as missing; the predictor is scored over the other points and its
    ``n`` says so, but its regret is still measured against the best of all. Intervals come from
    ``draws`` bootstrap samples of the points, p-values from as many permutations, the same for
    all predictors.

    Pearson's coefficient is of the values as they are, those that span decades (CUI, gradients)
    too, so that it can be recomputed from the table without knowing what was transformed. There
    the few highest points decide it: look at the rank correlations.

    Raises:
        ValueError: fewer than three points were retrained.
    """
    n = len(condition.retrained)
    if n < FEWEST_POINTS:
        raise ValueError(
            f"{condition.name}: {n} of {len(condition.points)} split points retrained, and an "
            f"order can be compared from {FEWEST_POINTS} on: train more with split.layer=all, "
            "peaks or a list of names"
        )

    @cache  # most predictors have a value for the same points
    def target_of(accuracies: Accuracies) -> Target:
        return target(np.array(accuracies), draws, seed)

    def scores(among: Condition) -> dict[str, PredictorScore]:
        values = predictor_values(among)
        return {name: _score(among, name, values[name], target_of) for name in values}

    light = {point.index for point in condition.points if point.head_macs <= point.tail_macs}
    lightest = tuple(r for r in condition.retrained if r.position in light)
    enough = len(lightest) >= FEWEST_POINTS
    half = scores(replace(condition, retrained=lightest)) if enough else {}
    found = Agreement(n, scores(condition), noise(condition), verdict="", half=half)
    return replace(found, verdict=verdict(condition, found))


def _score(
    condition: Condition,
    name: str,
    values: dict[int, float],
    target_of: Callable[[Accuracies], Target],
) -> PredictorScore:
    """One predictor over the points that it has a value for."""
    known = [r for r in condition.retrained if math.isfinite(values[r.position])]
    x_N = np.array([values[r.position] for r in known])
    accuracies, depths = tuple(r.accuracy for r in known), [r.position for r in known]
    enough = len(known) >= FEWEST_POINTS
    order = ranking(condition, values)
    measured = sorted((r.accuracy for r in condition.retrained), reverse=True)
    auto = _auto(condition, name, known) or order[:1]
    return PredictorScore(
        n=len(known),
        **coefficients(x_N, target_of(accuracies) if enough else None),
        spearman_given_depth=partial(x_N, accuracies, depths) if enough else math.nan,
        spearman_equal_size=equal_size(condition, known, values),
        pick=condition.points[order[0].position].label if order else "",
        regret=_regret(measured, order[:1]),
        regret_top3=_regret(measured, order[:TOP]),
        top3_hits=sum(r.accuracy >= measured[TOP - 1] for r in order[:TOP]),
        auto=condition.points[auto[0].position].label if auto else "",
        auto_regret=_regret(measured, auto),
        rule=SAID[auto_rule(curve.kind if (curve := condition.curves.get(name)) else name)],
        spearman_one_training=one_training(known, x_N) if enough else math.nan,
    )


def _auto(condition: Condition, name: str, known: Sequence[Retrained]) -> list[Retrained]:
    """What ``split.layer=auto`` would choose among the points; nothing where there is no curve."""
    curve = condition.curves.get(name)
    if curve is None or not known or not all(map(math.isfinite, curve.values)):
        return []
    chosen = taken(curve, "auto", [r.position for r in known])
    return [r for r in known if r.position in chosen]


def _regret(accuracies: Sequence[float], picked: Sequence[Retrained]) -> float:
    """Accuracy lost by taking the best of ``picked`` instead of the best of all."""
    return max(accuracies) - max((r.accuracy for r in picked), default=math.nan)
