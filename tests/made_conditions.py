"""Conditions made of a few numbers, as if their split points had been trained."""

from isplit.importance.curve import Curve
from isplit.point import SplitPoint
from isplit.result import (
    Accuracy,
    BottleneckResult,
    ChosenSplit,
    Cost,
    CurveValue,
    PerClass,
    SplitResult,
)
from isplit.studies.conditions import Condition, Retrained

TEST_IMAGES = 2000


def points_of(sizes):
    return tuple(
        SplitPoint(i, f"features.{i}", (size, 2, 2), f"n{i}", 10 * i, 900 - 10 * i, 7 * i)
        for i, size in enumerate(sizes)
    )


def trained(point, accuracy, nmse=0.25, before=0.5, test_images=TEST_IMAGES, per_class=None):
    return SplitResult(
        schema=1,
        model="vgg16",
        data="letters",
        num_classes=len(per_class.class_names) if per_class else 2,
        seed=0,
        split=ChosenSplit(point.name, point.index, point.shape, "user", point.label),
        curve=CurveValue("cui", 0.0, 1, 1),
        bottleneck=BottleneckResult(0.9, 0.9, (1, 2, 2), nmse),
        accuracy=Accuracy(0.9, before, accuracy, test_images),
        per_class=per_class or PerClass(("a", "b"), (0.9, 0.9), (accuracy, accuracy)),
        cost=Cost(point.head_macs, point.tail_macs, 5, 6, point.head_params, 16, 16),
        stages={},
    )


def kind_of(name):
    """``cui`` of ``cui(channels=sum)`` and of ``random:cui``."""
    return name.partition("(")[0].rpartition(":")[2]


def condition(
    accuracies,
    *,
    sizes=None,
    curves=None,
    nmse=None,
    before=None,
    subsets=None,
    name="small",
    test_images=TEST_IMAGES,
    left_untrained=(),
    facts=None,
):
    """``accuracies``: of each point, one number or one per training.

    ``curves``: values by predictor; ``left_untrained``: positions whose accuracy is not used.
    """
    points = points_of(sizes or [4] * len(accuracies))
    retrained = []
    for i, each in enumerate(accuracies):
        each = each if isinstance(each, list | tuple) else [each]
        results = tuple(
            trained(
                points[i], a, (nmse or {}).get(i, 0.1 * i), (before or {}).get(i, 0.5 + i / 100)
            )
            for a in each
        )
        if i not in left_untrained:
            retrained.append(Retrained(i, results, tuple(subsets[i]) if subsets else ()))
    kinds = curves if curves is not None else {"cui": range(len(points))}
    return Condition(
        name=name,
        facts=facts or {},
        class_names=("a", "b"),
        baseline_accuracy=0.9125,
        baseline_f1=(0.9, 0.9),
        test_images=test_images,
        points=points,
        retrained=tuple(retrained),
        curves={k: Curve(kind_of(k), points, tuple(map(float, v))) for k, v in kinds.items()},
    )
