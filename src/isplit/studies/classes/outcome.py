"""What training two splits on two subsets of the classes came to (I-SPLIT Fig. 8, bottom).

Shape suffixes: R trainings, N test images.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isplit.studies.conditions import STANDARD_ERRORS
from isplit.studies.run_folder import Run

Row = Mapping[str, Any]
"""Of one subset: its keys are the columns of ``classes.csv``."""


@dataclass(frozen=True)
class Difference:
    """A difference of accuracies with its error.

    Attributes:
        value: the one minus the other, mean over the trainings.
        error: standard error: of the paired answers to the same test images, and, with several
            trainings, of their mean, added in quadrature.
        binomial_error: what it would be for different test images.
    """

    value: float
    error: float
    binomial_error: float

    @property
    def beyond_error(self) -> bool:
        """Whether it is taken for more than chance."""
        return abs(self.value) > STANDARD_ERRORS * self.error

    @property
    def points(self) -> str:
        """How large it is in percentage points, with its error."""
        return f"{100 * abs(self.value):.1f} ± {100 * self.error:.1f}"


def measured(prefers_second: bool, at_first: Sequence[Run], at_second: Sequence[Run]) -> Row:
    """Both splits on one subset, over the same test images.

    Args:
        prefers_second: whether the subset's curve in the net of all classes is higher at the second
            point; ``preferred_minus_other`` counts from the preferred one.

    Raises:
        ValueError: what a run answered is not known.
    """
    first, second = (_answers(runs) for runs in (at_first, at_second))
    made = difference(second, first) if prefers_second else difference(first, second)
    return {
        "test_images": len(first[0]),
        "commonest": at_first[0].commonest,
        "trainings": len(at_first),
        "unsplit": at_first[0].result.accuracy.baseline,
        "accuracy_first": float(np.mean(first)),
        "accuracy_second": float(np.mean(second)),
        "preferred_minus_other": made.value,
        "error": made.error,
        "binomial_error": made.binomial_error,
        "beyond_error": made.beyond_error,
    }


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
    d_RN = np.subtract(one, other, dtype=float)
    trainings, images = d_RN.shape
    paired = d_RN.mean(axis=0).var() / images
    training = d_RN.mean(axis=1).var(ddof=1) / trainings if trainings > 1 else 0.0
    binomial = sum(mean * (1 - mean) for mean in (np.mean(one), np.mean(other))) / images
    return Difference(float(d_RN.mean()), math.sqrt(paired + training), math.sqrt(binomial))


def shift(rows: Sequence[Row]) -> Difference:
    """How much more the second subset gains by the second split than the first subset does.

    Positive where the curves of the classes are right about which subset wants which split. The
    subsets have different test images, so their errors add in quadrature.
    """
    first, second = (row["accuracy_second"] - row["accuracy_first"] for row in rows)
    errors = (math.hypot(*(row[e] for row in rows)) for e in ("error", "binomial_error"))
    return Difference(second - first, *errors)


def verdict(rows: Sequence[Row]) -> str:
    """What the numbers say, in words: each subset by itself, then the two against each other."""
    said = ". ".join(map(_outcome, rows)) + "."
    if any(map(is_at_chance, rows)):
        return said
    moved = shift(rows)
    than = "smaller" if moved.value < 0 else "larger"
    meaning = "as" if moved.value > 0 else "against what"
    meaning = meaning if moved.beyond_error else "too little to tell whether it is as"
    return (
        f"{said} Between the subsets, the gain from the second split is {moved.points} points "
        f"{than} in subset 2 than in subset 1, {meaning} the curves of the classes say."
    )


def _outcome(row: Row) -> str:
    """``Subset 1 (5 classes): CUI prefers a, which did better by 2.0 ± 0.5 points, ...``."""
    said = f"Subset {row['subset']} ({len(row['classes'])} classes): CUI prefers {row['prefers']}"
    if is_at_chance(row):
        return f"{said}, but both splits are at chance: the recipe is too short for this subset"
    made = Difference(row["preferred_minus_other"], row["error"], row["binomial_error"])
    did = "better" if made.value > 0 else "worse" if made.value < 0 else "neither better nor worse"
    size = f" by {made.points} points" if made.value else ""
    chance = "beyond" if made.beyond_error else "within"
    return f"{said}, which did {did}{size}, {chance} {STANDARD_ERRORS:g} standard errors"


def is_at_chance(row: Row) -> bool:
    """Whether at neither point more was learned than to answer with one of the classes."""
    chance: float = row["commonest"]
    error = math.sqrt(chance * (1 - chance) / row["test_images"])
    best: float = max(row["accuracy_first"], row["accuracy_second"])
    return best <= chance + STANDARD_ERRORS * error


def _answers(runs: Sequence[Run]) -> list[tuple[bool, ...]]:
    """Whether each test image was answered rightly (R, N)."""
    for run in runs:
        if run.correct is None:
            raise ValueError(f"{run.folder} has no predictions.csv: without it nothing is paired")
    return [run.correct for run in runs if run.correct is not None]
