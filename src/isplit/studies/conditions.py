"""A condition: what was found on one baseline, and what all studies read off it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

import numpy as np

from isplit.importance import taken
from isplit.importance.curve import Curve, PredictorCost
from isplit.point import SplitPoint
from isplit.result import SplitResult
from isplit.studies.collect import Run, grouped
from isplit.studies.naming import facts
from isplit.studies.scores import Agreement
from isplit.studies.seen import Seen

SUBSETS = 15  # I-SPLIT Fig. 3: box plots over 15 random subsets
SUBSET_SIZE = 800  # of 800 test images
STANDARD_ERRORS = 2.0  # a difference beyond this many is taken for one
MEAN_DIGITS = 12  # beyond these, means of the same answers differ by rounding alone


@dataclass(frozen=True)
class Retrained:
    """What training with the split at one point came to.

    Attributes:
        position: of the point among the condition's points.
        results: one per training; trainings beyond the first repeat it on the same baseline.
        subset_accuracies: accuracy after fine-tuning on each of the random subsets of the test
            images, of the first training; the subsets are the same for every point.
    """

    position: int
    results: tuple[SplitResult, ...]
    subset_accuracies: tuple[float, ...] = ()

    @property
    def accuracies(self) -> list[float]:
        """Test accuracy at the end, 0..1, of each training."""
        return [result.accuracy.final for result in self.results]

    @property
    def accuracy(self) -> float:
        """Mean over the trainings."""
        return mean_accuracy(self.results)

    @property
    def measured(self) -> dict[str, float]:
        """Each of ``MEASURED``, mean over the trainings; none where no bottleneck was trained."""
        before = [r.accuracy.after_autoencoder for r in self.results]
        made = {
            "minus_nmse": [-r.bottleneck.reconstruction_nmse for r in self.results if r.bottleneck],
            "after_autoencoder": [accuracy for accuracy in before if accuracy is not None],
        }
        return {name: fmean(each) for name, each in made.items() if each}


MEASURED = ("minus_nmse", "after_autoencoder")
"""Predictors that cost what they were to save, read off the training of the bottlenecks: minus the
squared error of the reconstruction over the features' squared norm, and test accuracy before
fine-tuning, 0..1."""


@dataclass(frozen=True)
class Condition:
    """One baseline, one way to compress and to train: the split points are all that differs.

    Attributes:
        name: for people, unique in an analysis.
        facts: what sets it apart: model, data, rate, seed ...
        points: all split points, from the input on.
        retrained: those that were trained, by position.
        curves: every predictor's values, by name; ``cui(channels=sum)`` is a reduction of the CUI,
            ``random:cui`` the CUI of the net before any training.
        costs: what each of these took.
        ranked_by: the predictor that the runs themselves were ranked by.
        left_out: what is missing, and why, in words.
    """

    name: str
    facts: Mapping[str, str | int | float]
    class_names: tuple[str, ...]
    baseline_accuracy: float
    baseline_f1: tuple[float, ...]
    test_images: int
    points: tuple[SplitPoint, ...]
    retrained: tuple[Retrained, ...]
    curves: Mapping[str, Curve] = field(default_factory=dict)
    costs: Mapping[str, PredictorCost] = field(default_factory=dict)
    ranked_by: str = "cui"
    left_out: tuple[str, ...] = ()
    agreement: Agreement | None = None

    @property
    def most_accurate(self) -> Retrained:
        """The point with the highest accuracy, of equal ones the deepest."""
        return max(self.retrained, key=lambda t: (t.accuracy, t.position))


def mean_accuracy(results: Iterable[SplitResult]) -> float:
    """Of several trainings at the end: equal means tie, and that of 0.85 and 0.95 is 0.9."""
    return round(fmean(result.accuracy.final for result in results), MEAN_DIGITS)


def condition_of(name: str, runs: Sequence[Run], seen: Seen) -> Condition:
    """The condition of these runs, which differ in nothing but the split point and repeats."""
    first = runs[0].result
    return Condition(
        name=name,
        facts=facts(runs[0]),
        class_names=first.per_class.class_names,
        baseline_accuracy=first.accuracy.baseline,
        baseline_f1=first.per_class.baseline_f1,
        test_images=first.accuracy.test_images,
        points=runs[0].curve.points,
        retrained=tuple(_retrained(runs)),
        curves=seen.curves,
        costs=seen.costs,
        ranked_by=runs[0].ranked_by,
        left_out=tuple(seen.left_out),
    )


def peak_of_each_class(curve: Curve) -> dict[str, int]:
    """Position of the highest peak of each class by itself, by its name."""
    each = {name: replace(curve, values=values) for name, values in curve.per_class.items()}
    return {name: taken(own, "peak")[0] for name, own in each.items()}


def shown_split(condition: Condition) -> Retrained:
    """The trained split at the CUI's highest peak; without a CUI, the most accurate."""
    cui = condition.curves.get("cui")
    if cui is None:
        return condition.most_accurate
    chosen = taken(cui, "peak", [t.position for t in condition.retrained])[0]
    return next(t for t in condition.retrained if t.position == chosen)


def class_f1(condition: Condition, trained: Retrained) -> list[tuple[str, float, float]]:
    """Each class with its F1 before and after the split, the latter the mean over the trainings."""
    after = map(fmean, zip(*(r.per_class.split_f1 for r in trained.results), strict=True))
    return list(zip(condition.class_names, condition.baseline_f1, after, strict=True))


def subset_accuracies(
    correct: Sequence[bool], subsets: int = SUBSETS, seed: int = 0
) -> tuple[float, ...]:
    """Accuracy on each of several random subsets of the test images (I-SPLIT Fig. 3).

    Of each image in order: whether the answer was right. The subsets depend on the number of
    images and the seed alone, so they are the same for every point of a condition. They hold
    ``SUBSET_SIZE`` images, and at most half of all: larger ones would be nearly the same subset.
    """
    right = np.asarray(correct, dtype=float)
    rng = np.random.default_rng(seed)
    chosen = subset_size(len(right))
    each = [right[rng.choice(len(right), chosen, replace=False)] for _ in range(subsets)]
    return tuple(float(part.mean()) for part in each)


def subset_size(test_images: int) -> int:
    """Images in each random subset.

    >>> subset_size(2000), subset_size(500)
    (800, 250)
    """
    return max(1, min(SUBSET_SIZE, test_images // 2))


def _retrained(runs: Sequence[Run]) -> list[Retrained]:
    """The trainings of each point, from the input on."""
    in_order = sorted(runs, key=lambda run: run.config["repeat"])
    by_position = sorted(grouped(in_order, lambda run: run.result.split.index).items())
    return [
        Retrained(
            position,
            tuple(run.result for run in same),
            subset_accuracies(same[0].correct) if same[0].correct else (),
        )
        for position, same in by_position
    ]
