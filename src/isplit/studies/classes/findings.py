"""One condition of the study of classes as answer, verdict, tables, figures and files."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from isplit.report.findings import Drawing, Findings
from isplit.report.table import Table, words_of
from isplit.studies.class_figures import classes_figure, f1_figure
from isplit.studies.classes.outcome import Difference, is_at_chance, shift, verdict
from isplit.studies.classes.proposal import Proposal
from isplit.studies.conditions import Condition, class_f1

TEXTS = words_of("studies.classes")
SUBSETS, F1 = TEXTS["columns"]["subsets"], TEXTS["columns"]["f1"]


def findings_of(
    nets: Sequence[Condition],
    proposal: Proposal,
    rows: Sequence[dict[str, Any]],
    command: str,
    left_out: Sequence[str],
) -> Findings:
    """A condition as answer, tables, figures and files.

    Args:
        nets: the condition of all classes and, where both splits were tried, of the subsets' nets.
    """
    condition, tried = nets[0], len(nets) > 1
    labels = [point.label for point in condition.points]
    moved = shift(rows) if tried else None
    said = f"{proposal.told(labels)} {verdict(rows) if tried else TEXTS['untried']}"
    numbers = {"classes/verdict": said} | ({"classes/shift": moved.value} if moved else {})
    for row in rows if tried else ():
        of = f"classes/subset_{row['subset']}"
        numbers |= {f"{of}/{key}": row[key] for key in ("preferred_minus_other", "error")}
    about = {
        "condition": condition.name,
        "facts": condition.facts,
        "curve_images": condition.curves["cui"].num_images,
        "splits": [labels[position] for position in proposal.splits],
        "peaks": {name: labels[position] for name, position in proposal.peaks.items()},
        "preference_log10": proposal.preference,
        "subsets": rows,
        "shift": moved and asdict(moved) | {"beyond_error": moved.beyond_error},
        **{"verdict": said, "command": command, "left_out": left_out},
    }
    shown = Table(condition.name, SUBSETS, rows, TEXTS["note"], True)
    return Findings(
        condition.name,
        f"{TEXTS['title']} {_short(moved, rows)}",
        said,
        command,
        facts=condition.facts,
        tables=[shown, Table("F1 on the test images", F1, _f1(nets))],
        figures=_drawings(nets),
        files={"classes.json": about},
        numbers=numbers,
        left_out=left_out,
    )


def _drawings(nets: Sequence[Condition]) -> list[Drawing]:
    """The curve of each class in the net of all, and F1 in each net."""
    figures = {"classes": classes_figure(nets[0])}
    figures |= {f"f1_subset_{n}" if n else "f1": f1_figure(net) for n, net in enumerate(nets)}
    captions = TEXTS["captions"]
    return [
        Drawing(name, captions[name.partition("_")[0]], figure)
        for name, figure in figures.items()
        if figure
    ]


def _short(moved: Difference | None, rows: Sequence[dict[str, Any]]) -> str:
    if moved is None:
        return "Not tried yet: this command trains both splits on both subsets."
    if any(map(is_at_chance, rows)):
        return "Not to be told: in one of the subsets, nothing was learned."
    if not moved.beyond_error:
        return "Not beyond chance."
    return "Yes, as their curves say." if moved.value > 0 else "Yes, against their curves."


def _f1(nets: Sequence[Condition]) -> list[dict[str, Any]]:
    """A row for each class and trained split: of all classes (subset 0), of each subset's net."""
    return [
        {"subset": number, "class": name, "split": net.points[trained.position].label}
        | {"f1_unsplit": before, "f1_split": after}
        for number, net in enumerate(nets)
        for trained in net.retrained
        for name, before, after in class_f1(net, trained)
    ]
