"""What training two splits on two subsets of the classes came to (I-SPLIT Fig. 8, bottom)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from isplit.studies.classes.proposal import Subset
from isplit.studies.conditions import STANDARD_ERRORS

Retrainings = tuple["Retraining", "Retraining"]


@dataclass(frozen=True)
class Trained:
    """One training of a subset's net with one split.

    Attributes:
        correct: of each test image in order, whether the answer was right.
        baseline: test accuracy of the subset's unsplit net, 0..1.
        own_curve: the CUI of the subset's own unsplit net at all points; ``None``: not known.
        baseline_f1: of each class of the subset, unsplit; ``split_f1`` after the split.
    """

    correct: tuple[bool, ...]
    baseline: float
    own_curve: tuple[float, ...] | None
    class_names: tuple[str, ...]
    baseline_f1: tuple[float, ...]
    split_f1: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """Part of the test images answered rightly."""
        return fmean(self.correct)


@dataclass(frozen=True)
class Difference:
    """A difference of accuracies with its error.

    Attributes:
        value: the one minus the other, mean over the trainings.
        error: standard error: of the paired answers to the same test images, and, with several
            trainings, of their mean, added in quadrature.
        binomial_error: what it would be for different test images.
        trainings: of each of the two.
    """

    value: float
    error: float
    binomial_error: float
    trainings: int

    @property
    def is_beyond_error(self) -> bool:
        """Whether it is taken for more than chance."""
        return abs(self.value) > STANDARD_ERRORS * self.error


@dataclass(frozen=True)
class Retraining:
    """What training both splits on one subset came to.

    Attributes:
        accuracies: at the first and at the second point, mean over the trainings.
        preferred: accuracy at the point that the subset's curve prefers minus that at the other.
        second: accuracy at the second point minus that at the first.
        own_prefers: position of that of the two where the CUI of the subset's own unsplit net is
            higher: the preference need not survive its training; ``None``: not known.
        f1: of each class: unsplit, at the first and at the second point, mean over the trainings.
    """

    subset: Subset
    test_images: int
    baseline: float
    accuracies: tuple[float, float]
    preferred: Difference
    second: Difference
    own_prefers: int | None
    f1: Mapping[str, tuple[float, float, float]]

    @property
    def is_at_chance(self) -> bool:
        """Whether at neither point more was learned than to answer with one of the classes."""
        chance = 1 / len(self.subset.classes)
        error = math.sqrt(chance * (1 - chance) / self.test_images)
        return max(self.accuracies) <= chance + STANDARD_ERRORS * error


def compare(
    subset: Subset,
    splits: tuple[int, int],
    trained: Sequence[Sequence[Trained]],
) -> Retraining:
    """Both splits on one subset, over the same test images.

    Args:
        trained: the trainings at each of the two points, in the order of ``splits``.
    """
    at_first, at_second = trained
    one = at_first[0]
    second = difference(
        [training.correct for training in at_second], [training.correct for training in at_first]
    )
    sign = 1 if subset.prefers == splits[1] else -1
    return Retraining(
        subset=subset,
        test_images=len(one.correct),
        baseline=one.baseline,
        accuracies=(_accuracy(at_first), _accuracy(at_second)),
        preferred=Difference(
            sign * second.value, second.error, second.binomial_error, second.trainings
        ),
        second=second,
        own_prefers=_higher(one.own_curve, splits),
        f1={
            name: (one.baseline_f1[c], _f1(at_first, c), _f1(at_second, c))
            for c, name in enumerate(one.class_names)
        },
    )


def difference(one: Sequence[Sequence[bool]], other: Sequence[Sequence[bool]]) -> Difference:
    """Accuracy of the one minus that of the other, from answers to the same images.

    With answers d in -1, 0, 1 (the one right minus the other right, mean over the trainings), the
    paired variance of the mean is (mean d^2 - (mean d)^2) / images; with one training each that
    is McNemar's (b + c - (b - c)^2 / n) / n^2. Of r trainings each, the variance of their mean
    difference, s^2 / r, is added; the paired part holds some of it already, so the error is
    rather too large than too small.

    >>> made = difference([[True, True, False, True]], [[True, False, True, False]])
    >>> made.value, round(made.error, 3)
    (0.25, 0.415)
    """
    pairs = list(zip(one, other, strict=True))
    by_training = [fmean(a) - fmean(b) for a, b in pairs]
    by_image = [fmean(a[image] - b[image] for a, b in pairs) for image in range(len(pairs[0][0]))]
    images, value = len(by_image), fmean(by_training)
    paired = max(0.0, fmean(d * d for d in by_image) - value**2) / images
    training = stdev(by_training) ** 2 / len(pairs) if len(pairs) > 1 else 0.0
    means = [fmean(map(fmean, answers)) for answers in (one, other)]
    binomial = math.sqrt(sum(mean * (1 - mean) for mean in means) / images)
    return Difference(value, math.sqrt(paired + training), binomial, len(pairs))


def shift(retrainings: Retrainings) -> Difference:
    """How much more the second subset gains by the second split than the first subset does.

    Positive where the curves of the classes are right about which subset wants which split. The
    subsets have different test images, so their errors add in quadrature.
    """
    first, second = (retraining.second for retraining in retrainings)
    return Difference(
        second.value - first.value,
        math.hypot(first.error, second.error),
        math.hypot(first.binomial_error, second.binomial_error),
        min(first.trainings, second.trainings),
    )


def _accuracy(trainings: Sequence[Trained]) -> float:
    return fmean(training.accuracy for training in trainings)


def _f1(trainings: Sequence[Trained], label: int) -> float:
    return fmean(training.split_f1[label] for training in trainings)


def _higher(values: Sequence[float] | None, splits: tuple[int, int]) -> int | None:
    return None if values is None else max(splits, key=lambda position: values[position])
