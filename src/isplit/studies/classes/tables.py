"""The study of classes as tables: for people, as CSV, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from isplit.report.findings import as_json
from isplit.report.table import Column, Table
from isplit.studies.classes.splits import Difference, Retraining, shift
from isplit.studies.classes.verdict import ClassFinding
from isplit.studies.conditions import split_f1

MEASURED = (
    *("test_images", "trainings", "unsplit", "accuracy_first", "accuracy_second"),
    *("preferred_minus_other", "error", "binomial_error", "beyond_error"),
)


def subsets_table(finding: ClassFinding) -> Table:
    """A row per subset: where it peaks, accuracy at both splits, their difference and its error."""
    first, second = (finding.labels[position] for position in finding.proposal.splits)
    columns = (
        Column("subset", screen=1),
        Column("classes", screen=5),
        Column("peak", form=lambda at: f"{at[0]} ({at[1]} of {at[2]})", screen=4),
        Column("prefers", screen=3),
        Column("own_curve_prefers", "in its own net", screen=6),
        Column("unsplit", form=".3f", screen=2),
        Column("accuracy_first", first, form=".3f", screen=2),
        Column("accuracy_second", second, form=".3f", screen=2),
        Column("preferred_minus_other", "difference", "points", "+.1f", 100, screen=3),
        Column("error", "±", "points", ".1f", 100, screen=3),
        Column("binomial_error", "± if unpaired", "points", ".1f", 100),
        Column("beyond_error", "beyond error", screen=6),
    )
    rows = []
    for row, subset in zip(_rows(finding), finding.proposal.subsets, strict=True):
        at = (row["peak"], subset.at_home, len(subset.classes))
        rows.append(row | {"peak": at, "classes": ", ".join(subset.classes)})
    note = (
        "peak: the split point the subset was chosen for, and how many of its classes have their "
        "highest peak there. prefers: the higher of the two by the subset's CUI in the net of all "
        "classes. difference: accuracy at the preferred minus at the other, with the standard "
        "error of paired answers."
    )
    return Table(finding.condition.name, columns, rows, note, on_screen=True)


def f1_table(finding: ClassFinding) -> Table:
    """A row per class of the subsets: F1 of its own net, unsplit and at both splits."""
    first, second = (finding.labels[position] for position in finding.proposal.splits)
    columns = (
        *(Column("class", screen=1), Column("subset", screen=2)),
        *(Column("unsplit", form=".3f", screen=3), Column("first", first, form=".3f", screen=3)),
        Column("second", second, form=".3f", screen=3),
    )
    rows = [
        {"class": name, "subset": number}
        | dict(zip(("unsplit", "first", "second"), values, strict=True))
        for number, made in enumerate(finding.retrainings or (), 1)
        for name, values in made.f1.items()
    ]
    return Table("F1 of each class in its subset's own net", columns, rows, on_screen=True)


def classes_rows(findings: Sequence[ClassFinding]) -> Table:
    """``classes.csv``: a row per condition and subset; what was not trained is empty."""
    return Table.of_rows("classes", [row for finding in findings for row in _rows(finding)])


def f1_rows(findings: Sequence[ClassFinding]) -> Table:
    """``f1.csv``: per class and trained split, of all classes (subset 0) and of each subset."""
    return Table.of_rows("f1", [row for finding in findings for row in _f1_rows(finding)])


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
        "command": finding.command,
        "left_out": list(finding.left_out),
    }


def _rows(finding: ClassFinding) -> Iterator[dict[str, Any]]:
    labels, proposal = finding.labels, finding.proposal
    first, second = (labels[position] for position in proposal.splits)
    for number, subset in enumerate(proposal.subsets):
        made = None if finding.retrainings is None else finding.retrainings[number]
        own = labels[made.own_prefers] if made and made.own_prefers is not None else None
        about = {"condition": finding.condition.name, "subset": number + 1}
        about |= {"classes": "; ".join(subset.classes), "peak": labels[subset.leans_to]}
        about |= {"at_peak": subset.at_home, "prefers": labels[subset.prefers]}
        about |= {"own_curve_prefers": own, "first_split": first, "second_split": second}
        yield about | (dict.fromkeys(MEASURED) if made is None else _numbers(made))


def _numbers(made: Retraining) -> dict[str, Any]:
    d = made.preferred
    judged = (d.value, d.error, d.binomial_error, d.is_beyond_error)
    known = (made.test_images, d.trainings, made.baseline, *made.accuracies, *judged)
    return dict(zip(MEASURED, known, strict=True))


def _f1_rows(finding: ClassFinding) -> Iterator[dict[str, Any]]:
    for number, condition in enumerate((finding.condition, *finding.subset_conditions)):
        for trained in condition.retrained:
            label = condition.points[trained.position].label
            values = zip(condition.baseline_f1, split_f1(trained), strict=True)
            for name, (before, after) in zip(condition.class_names, values, strict=True):
                about = {"condition": finding.condition.name, "subset": number, "class": name}
                yield about | {"split": label, "f1_unsplit": before, "f1_split": after}


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
    return {**asdict(difference), "beyond_error": difference.is_beyond_error}
