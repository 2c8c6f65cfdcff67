"""What remains of an agreement beside the plain controls: depth, size, and chance in training."""

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from isplit.studies.agreement.correlation import FEWEST_POINTS, Floats, partial, spearman
from isplit.studies.conditions import Condition, Retrained


def given_depth(known: Sequence[Retrained], values: Floats) -> float:
    """Rank correlation with the accuracy, the position of the points partialled out."""
    accuracies = np.array([r.accuracy for r in known])
    return partial(values, accuracies, np.array([float(r.position) for r in known]))


def one_training(known: Sequence[Retrained], values: Floats) -> float:
    """Mean rank correlation with each training by itself, of those that all points had."""
    trainings = min(len(r.results) for r in known)
    each = [
        spearman(values, np.array([r.results[t].accuracy.final for r in known]))
        for t in range(trainings)
    ]
    return float(np.mean(each))


def equal_size(
    condition: Condition, known: Sequence[Retrained], values: dict[int, float]
) -> float | None:
    """Mean rank correlation within the groups of points of one size, weighted by their size.

    A group in which a side is constant says nothing and is left out; NaN where all do that.
    """

    def numel(retrained: Retrained) -> int:
        return condition.points[retrained.position].numel

    groups = [list(group) for _, group in groupby(sorted(known, key=numel), key=numel)]
    groups = [group for group in groups if len(group) >= FEWEST_POINTS]
    if not groups:
        return None
    within = [
        float(
            spearman(np.array([values[r.position] for r in g]), np.array([r.accuracy for r in g]))
        )
        for g in groups
    ]
    weights = [0 if math.isnan(r) else len(g) for r, g in zip(within, groups, strict=True)]
    return float(np.average(np.nan_to_num(within), weights=weights)) if any(weights) else math.nan
