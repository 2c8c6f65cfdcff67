"""The study of classes for programs: rows of CSV files, and JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from isplit.report.findings import as_json
from isplit.report.table import Table
from isplit.studies.classes.splits import Difference, Retraining, shift
from isplit.studies.classes.tables import subset_rows
from isplit.studies.classes.verdict import ClassFinding
from isplit.studies.conditions import split_f1


def classes_rows(findings: Sequence[ClassFinding]) -> Table:
    """``classes.csv``: a row per condition and subset; what was not trained is empty."""
    return Table.of_rows("classes", [row for finding in findings for row in subset_rows(finding)])


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
