"""How far the measured accuracies would move by chance alone; what remains beside plain controls.

The controls are depth, size, and chance in training.

Shape suffixes: P retrained points, Q pairs of them, S subsets of the test images.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import stdev

import numpy as np

from isplit.studies.agreement.correlation import FEWEST_POINTS, Floats, mean_of, spearman
from isplit.studies.collect import grouped
from isplit.studies.conditions import STANDARD_ERRORS, Condition, Retrained, subset_size
from isplit.studies.scores import Noise


def noise(condition: Condition) -> Noise:
    """What chance does to the accuracies of the retrained points, at least two.

    The standard error of a difference is taken from the best that the condition has:

    1. repeated trainings that differ: s * sqrt(1/k + 1/l) for points trained k and l times, s the
       standard deviation between trainings pooled over the points. Nothing is added for the test
       images: all trainings answer the same ones, so this asks whether training again would turn
       the difference around *on these images*. Of the images' own chance it contains the part in
       which two trainings differ; that other images might be easier for all is no matter for a
       difference.
    2. the random subsets, the same for every point: the variance of the difference over subsets of
       m of the n images, times m / (n - m) (they are drawn without replacement), is the squared
       error of the difference of paired answers over all n. It is never taken to be less than
       what the difference d itself implies, d (1 - d) / n. Chance in training is not in it.
    3. two binomial errors as if the points had answered different images: too wide, as easy images
       are easy for all.
    """
    accuracy_P = np.array([r.accuracy for r in condition.retrained])
    first, second = np.triu_indices(len(accuracy_P), k=1)
    difference_Q = np.abs(accuracy_P[first] - accuracy_P[second])
    error_Q, source, freedom = _difference_errors(condition, accuracy_P)
    repeat = _repeat_spearman(condition.retrained)
    mean = float(accuracy_P.mean())
    return Noise(
        test_images=condition.test_images,
        spread=float(np.ptp(accuracy_P)),
        binomial_error=math.sqrt(mean * (1 - mean) / condition.test_images),
        training_error=_training_error(condition.retrained),
        separable=float(np.mean(difference_Q > STANDARD_ERRORS * error_Q)),
        repeat_spearman=repeat,
        ceiling=ceiling(repeat),
        difference_error=math.sqrt(float(np.mean(error_Q**2))),
        difference_error_from=source,
        degrees_of_freedom=freedom,
    )


def accuracy_error(trained: Retrained, test_images: int) -> float:
    """Standard deviation of the trainings' accuracies; of one training, its binomial error."""
    if len(trained.results) > 1:
        return stdev(trained.accuracies)
    return math.sqrt(trained.accuracy * (1 - trained.accuracy) / test_images)


def ceiling(repeat_spearman: float | None) -> float | None:
    """The rank correlation that a perfect predictor would be expected to reach with one training.

    Args:
        repeat_spearman: mean rank correlation of two trainings; ``None``: there are no two.
    """
    return None if repeat_spearman is None else math.sqrt(max(0.0, repeat_spearman))


def one_training(known: Sequence[Retrained], values: Floats) -> float:
    """Mean rank correlation with each training by itself, of those that all points had."""
    trainings = zip(*(r.accuracies for r in known), strict=False)
    return mean_of([spearman(values, each) for each in trainings])


def equal_size(
    condition: Condition, known: Sequence[Retrained], values: dict[int, float]
) -> float | None:
    """Mean rank correlation within the groups of points of one size, weighted by their size.

    A group in which a side is constant says nothing and is left out; NaN where all do that.
    """
    by_size = grouped(known, lambda r: condition.points[r.position].numel)
    groups = [group for _, group in sorted(by_size.items()) if len(group) >= FEWEST_POINTS]
    if not groups:
        return None
    within = [spearman([values[r.position] for r in g], [r.accuracy for r in g]) for g in groups]
    weights = [0 if math.isnan(r) else len(g) for r, g in zip(within, groups, strict=True)]
    return float(np.average(np.nan_to_num(within), weights=weights)) if any(weights) else math.nan


def _difference_errors(condition: Condition, accuracy: Floats) -> tuple[Floats, str, int | None]:
    """Standard error of the difference of each pair of points, from what, and its freedom.

    The degrees of freedom of repeats are their number beyond each point's first. Those of the
    subsets are what points and subsets together leave, as in an analysis of variance of two ways.
    """
    first, second = np.triu_indices(len(accuracy), k=1)
    retrained, images = condition.retrained, condition.test_images
    between = _training_error(retrained)
    if between:  # 0 is what chance, or nothing to train, leaves of few repeats: no estimate
        variance_P = between**2 / np.array([len(r.results) for r in retrained])
        again = sum(len(r.results) - 1 for r in retrained)
        return np.sqrt(variance_P[first] + variance_P[second]), "repeated trainings", again
    chosen = subset_size(images)
    if chosen < images and all(r.subset_accuracies for r in retrained):
        subset_PS = np.array([r.subset_accuracies for r in retrained])
        variance_Q = (subset_PS[first] - subset_PS[second]).var(axis=1, ddof=1)
        difference_Q = np.abs(accuracy[first] - accuracy[second])
        least_Q = difference_Q * (1 - difference_Q) / images
        scaled_Q = variance_Q * chosen / (images - chosen)
        freedom = (len(accuracy) - 1) * (subset_PS.shape[1] - 1)
        return np.sqrt(np.maximum(scaled_Q, least_Q)), "paired answers", freedom
    variance_P = accuracy * (1 - accuracy) / images
    return np.sqrt(variance_P[first] + variance_P[second]), "test images", None


def _training_error(retrained: Sequence[Retrained]) -> float | None:
    """Standard deviation between trainings of one point, pooled over the points."""
    repeated = [np.array(r.accuracies) for r in retrained if len(r.results) > 1]
    if not repeated:
        return None
    squares = sum(float(((each - each.mean()) ** 2).sum()) for each in repeated)
    return math.sqrt(squares / sum(len(each) - 1 for each in repeated))


def _repeat_spearman(retrained: Sequence[Retrained]) -> float | None:
    """Mean rank correlation of two trainings over the points that had both, if at least three."""
    coefficients = []
    for one, other in combinations(range(max(len(r.results) for r in retrained)), 2):
        both = [r.accuracies for r in retrained if len(r.results) > other]
        if len(both) >= FEWEST_POINTS:
            coefficients.append(spearman(*([each[t] for each in both] for t in (one, other))))
    mean = mean_of(coefficients)
    return None if math.isnan(mean) else mean
