"""A condition put together from its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isplit.analysis.collect import Run, correct_answers, facts
from isplit.analysis.findings import Condition, Retrained
from isplit.analysis.noise import subset_accuracies
from isplit.types import Curve, PredictorCost


def condition_of(
    name: str,
    runs: Sequence[Run],
    curves: Mapping[str, Curve],
    costs: Mapping[str, PredictorCost] | None = None,
    left_out: Sequence[str] = (),
) -> Condition:
    """The condition of these runs, which differ in nothing but the split point and repeats."""
    first = runs[0].result
    return Condition(
        name=name,
        slug=slug(name),
        facts=facts(runs[0]),
        class_names=first.per_class.class_names,
        baseline_accuracy=first.accuracy.baseline,
        baseline_f1=first.per_class.baseline_f1,
        test_images=first.accuracy.test_images,
        points=runs[0].curve.points,
        retrained=tuple(_retrained(runs)),
        curves=curves,
        costs=costs or {},
        left_out=tuple(left_out),
    )


def slug(name: str) -> str:
    """A folder name: letters, digits and dots, the rest dashes.

    >>> slug("vgg16 on letters (10 classes), rate 0.9, seed 0")
    'vgg16-on-letters-10-classes-rate-0.9-seed-0'
    """
    kept = "".join(c if c.isalnum() or c in "._" else " " for c in name)
    return "-".join(kept.split())


def _retrained(runs: Sequence[Run]) -> list[Retrained]:
    """The trainings of each point, from the input on."""
    by_position: dict[int, list[Run]] = {}
    for run in sorted(runs, key=lambda run: int(run.config.get("repeat", 0))):
        by_position.setdefault(run.result.split.index, []).append(run)
    return [
        Retrained(position, tuple(run.result for run in same), _subsets(same[0]))
        for position, same in sorted(by_position.items())
    ]


def _subsets(run: Run) -> tuple[float, ...]:
    correct = correct_answers(run)
    return () if correct is None else subset_accuracies(correct)
