"""The study of classes in one condition, and what it says in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from isplit.report.findings import Value
from isplit.studies.classes.proposal import Proposal
from isplit.studies.classes.splits import Difference, Retraining, Retrainings, shift
from isplit.studies.conditions import STANDARD_ERRORS, Condition


@dataclass(frozen=True)
class ClassFinding:
    """What the study of classes came to for one condition.

    Attributes:
        condition: of all classes, with the curve.
        subset_conditions: of the nets that were trained on the subsets, where both splits were.
        command: that trains what is missing, for a shell; empty where there is none.
        left_out: what is missing, and why, in words.
    """

    condition: Condition
    proposal: Proposal
    retrainings: Retrainings | None = None
    subset_conditions: tuple[Condition, ...] = ()
    command: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """Of all split points."""
        return [point.label for point in self.condition.points]

    @property
    def verdict(self) -> str:
        """The proposal in words, and what came of it if it was tried."""
        said = proposed(self.proposal, self.labels)
        if self.retrainings is None:
            return f"{said} Nothing was retrained on the subsets, so this is all CUI."
        return f"{said} {verdict(self.retrainings, self.labels)}"

    @property
    def short(self) -> str:
        """The answer in a few words."""
        if self.retrainings is None:
            return "Not tried yet: this command trains both splits on both subsets."
        moved = shift(self.retrainings)
        if not moved.is_beyond_error:
            return "Not beyond chance."
        return "Yes, as their curves say." if moved.value > 0 else "Yes, against their curves."

    @property
    def numbers(self) -> dict[str, Value]:
        """For trackers: the verdict and the differences."""
        told: dict[str, Value] = {"classes/verdict": self.verdict}
        for number, made in enumerate(self.retrainings or (), 1):
            told |= {
                f"classes/subset_{number}/preferred_minus_other": made.preferred.value,
                f"classes/subset_{number}/error": made.preferred.error,
            }
        if self.retrainings is not None:
            told["classes/shift"] = shift(self.retrainings).value
        return told


def proposed(proposal: Proposal, labels: Sequence[str]) -> str:
    """Where the classes peak and what the two subsets are, in words."""
    groups = [f"{len(names)} at {labels[p]}" for p, names in proposal.groups().items()]
    said = f"CUI of {len(proposal.peaks)} classes peaks: {', '.join(groups)}."
    one, other = (subset.prefers for subset in proposal.subsets)
    if one == other:
        said += f" Both subsets prefer {labels[one]}; they differ only in how much."
    return said


def verdict(retrainings: Retrainings, labels: Sequence[str]) -> str:
    """What the numbers say, in words: each subset by itself, then the two against each other.

    Args:
        labels: of all split points.
    """
    outcomes = [_outcome(number, each, labels) for number, each in enumerate(retrainings, 1)]
    if any(retraining.is_at_chance for retraining in retrainings):
        return f"{'. '.join(outcomes)}."
    moved = shift(retrainings)
    than = "smaller" if moved.value < 0 else "larger"
    between = (
        f"the gain from the second split is {_points(moved)} points {than} in subset 2 than in "
        f"subset 1, {_meaning(moved, 'as', 'against what')} the curves of the classes say"
    )
    return f"{'. '.join(outcomes)}. Between the subsets, {between}."


def _outcome(number: int, retraining: Retraining, labels: Sequence[str]) -> str:
    """``Subset 1 (5 classes): CUI prefers a, which did better by 2.0 ± 0.5 points, ...``."""
    subset, made = retraining.subset, retraining.preferred
    said = f"Subset {number} ({len(subset.classes)} classes): CUI prefers {labels[subset.prefers]}"
    if retraining.is_at_chance:
        return f"{said}, but both splits are at chance: the recipe is too short for this subset"
    did = "better" if made.value > 0 else "worse" if made.value < 0 else "neither better nor worse"
    size = f" by {_points(made)} points" if made.value else ""
    chance = "beyond" if made.is_beyond_error else "within"
    return f"{said}, which did {did}{size}, {chance} {STANDARD_ERRORS:g} standard errors"


def _points(made: Difference) -> str:
    """How large a difference of accuracies is in percentage points, with its error."""
    return f"{100 * abs(made.value):.1f} ± {100 * made.error:.1f}"


def _meaning(made: Difference, agrees: str, contradicts: str) -> str:
    if not made.is_beyond_error:
        return f"too little to tell whether it is {agrees}"
    return agrees if made.value > 0 else contradicts
