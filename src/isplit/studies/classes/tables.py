"""The study of classes as tables."""

from collections.abc import Iterator
from typing import Any

from isplit.report.table import Column, Table
from isplit.studies.classes.splits import Retraining
from isplit.studies.classes.verdict import ClassFinding

MEASURED = (
    *("test_images", "trainings", "unsplit", "accuracy_first", "accuracy_second"),
    *("preferred_minus_other", "error", "binomial_error", "beyond_error"),
)


def subsets_table(finding: ClassFinding) -> Table:
    """A row per subset: where it peaks, accuracy at both splits, their difference and its error."""
    first, second = (finding.labels[position] for position in finding.proposal.splits)
    columns = (
        Column("subset", screen=1),
        Column("classes", fold=20, screen=5),
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
    for row, subset in zip(subset_rows(finding), finding.proposal.subsets, strict=True):
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


def subset_rows(finding: ClassFinding) -> Iterator[dict[str, Any]]:
    """A row per subset; what was not trained is nothing."""
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
