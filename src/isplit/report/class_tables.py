"""The study of classes as tables: for the screen, as CSV and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from isplit.analysis.class_finding import ClassFinding
from isplit.analysis.class_splits import Difference, Retraining, shift
from isplit.analysis.findings import as_json
from isplit.files import csv_text
from isplit.report.figures.f1 import split_f1

NOTHING = "-"
COLUMNS = (
    *("condition", "subset", "classes", "peak", "at_peak", "prefers", "own_curve_prefers"),
    *("first_split", "second_split", "test_images", "trainings", "unsplit"),
    *("accuracy_first", "accuracy_second", "preferred_minus_other", "error", "binomial_error"),
    "beyond_error",
)
F1_COLUMNS = ("condition", "subset", "class", "split", "f1_unsplit", "f1_split")


def classes_table(finding: ClassFinding) -> Table:
    """A row per subset: where it peaks, accuracy at both splits, their difference and its error."""
    first, second = (finding.labels[position] for position in finding.proposal.splits)
    table = Table(
        title=finding.condition.name,
        caption="peak: the split point the subset was chosen for, and how many of its classes have "
        "their highest peak there\nprefers: the higher of the two by the subset's CUI in the net "
        "of all classes (in its own unsplit net)\ndifference: accuracy at the preferred minus at "
        "the other, in points ± standard error of paired answers (if unpaired)",
    )
    for column in ("subset", "peak", "prefers"):
        table.add_column(column)
    for column in ("unsplit", first, second, "difference", "beyond error"):
        table.add_column(column, justify="right")
    for number in range(2):
        table.add_row(*_cells(finding, number))
    return table


def f1_table(finding: ClassFinding) -> Table:
    """A row per class of the subsets: F1 of its own net, unsplit and at both splits."""
    first, second = (finding.labels[position] for position in finding.proposal.splits)
    table = Table(title="F1 of each class in its subset's own net")
    for column in ("class", "subset"):
        table.add_column(column)
    for column in ("unsplit", first, second):
        table.add_column(column, justify="right")
    for number, retraining in enumerate(finding.retrainings or (), 1):
        for name, values in retraining.f1.items():
            table.add_row(name, str(number), *(f"{value:.3f}" for value in values))
    return table


def classes_csv(findings: Sequence[ClassFinding]) -> str:
    """A row per condition and subset; what was not trained is empty."""
    return csv_text(COLUMNS, (row for finding in findings for row in _rows(finding)))


def f1_csv(findings: Sequence[ClassFinding]) -> str:
    """A row per class and trained split, of all classes (subset 0) and of each subset."""
    return csv_text(F1_COLUMNS, (row for finding in findings for row in _f1_rows(finding)))


def classes_json(finding: ClassFinding) -> dict[str, Any]:
    """A finding as JSON values, split points by their labels."""
    labels, proposal, made = finding.labels, finding.proposal, finding.retrainings
    return {
        "condition": finding.condition.name,
        "facts": as_json(finding.condition.facts),
        "curve_images": finding.condition.curves["cui"].num_images,
        "splits": [labels[position] for position in proposal.splits],
        "peaks": {name: labels[position] for name, position in proposal.peaks.items()},
        "preference_log10": as_json(proposal.preference),
        "subsets": [
            as_json(subset)
            | {"leans_to": labels[subset.leans_to], "prefers": labels[subset.prefers]}
            | ({} if made is None else _measured(made[number], labels))
            for number, subset in enumerate(proposal.subsets)
        ],
        "shift": None if made is None else _judged(shift(made)),
        "verdict": finding.verdict,
        "commands": list(finding.commands),
        "left_out": list(finding.left_out),
    }


def _cells(finding: ClassFinding, number: int) -> list[str]:
    labels, subset = finding.labels, finding.proposal.subsets[number]
    peak = f"{labels[subset.leans_to]} ({subset.at_home} of {len(subset.classes)})"
    about = [f"{number + 1}: {', '.join(subset.classes)}", peak, labels[subset.prefers]]
    if finding.retrainings is None:
        return [*about, *[NOTHING] * 5]
    made = finding.retrainings[number]
    own = NOTHING if made.own_prefers is None else labels[made.own_prefers]
    about[-1] += f" ({own})"
    d = made.preferred
    difference = f"{100 * d.value:+.1f} ± {100 * d.error:.1f} ({100 * d.binomial_error:.1f})"
    accuracies = [f"{value:.3f}" for value in (made.baseline, *made.accuracies)]
    return [*about, *accuracies, difference, "yes" if d.is_beyond_error else "no"]


def _rows(finding: ClassFinding) -> Iterator[list[Any]]:
    labels, proposal = finding.labels, finding.proposal
    for number, subset in enumerate(proposal.subsets):
        made = None if finding.retrainings is None else finding.retrainings[number]
        own = labels[made.own_prefers] if made and made.own_prefers is not None else ""
        about = [finding.condition.name, number + 1, "; ".join(subset.classes)]
        place = [labels[subset.leans_to], subset.at_home, labels[subset.prefers], own]
        splits = [labels[position] for position in proposal.splits]
        yield [*about, *place, *splits, *(_numbers(made) if made else [""] * 9)]


def _numbers(made: Retraining) -> list[Any]:
    d = made.preferred
    return [
        *(made.test_images, d.trainings, made.baseline, *made.accuracies),
        *(d.value, d.error, d.binomial_error, d.is_beyond_error),
    ]


def _f1_rows(finding: ClassFinding) -> Iterator[list[Any]]:
    for number, condition in enumerate((finding.condition, *finding.subset_conditions)):
        for trained in condition.retrained:
            label = condition.points[trained.position].label
            values = zip(condition.baseline_f1, split_f1(trained), strict=True)
            for name, f1 in zip(condition.class_names, values, strict=True):
                yield [finding.condition.name, number, name, label, *f1]


def _measured(made: Retraining, labels: Sequence[str]) -> dict[str, Any]:
    return {
        "own_curve_prefers": None if made.own_prefers is None else labels[made.own_prefers],
        "test_images": made.test_images,
        "baseline": made.baseline,
        "accuracies": list(made.accuracies),
        "preferred_minus_other": _judged(made.preferred),
        "f1_unsplit_and_at_splits": as_json(made.f1),
    }


def _judged(difference: Difference) -> dict[str, Any]:
    return {**as_json(difference), "beyond_error": difference.is_beyond_error}
