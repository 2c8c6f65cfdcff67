"""The study of classes: two subsets that lean to different split points, both splits on both."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from isplit.importance import select
from isplit.importance.curve import Curve
from isplit.report.findings import Findings, of_all
from isplit.report.table import Column, Table
from isplit.studies.classes.findings import F1, SUBSETS, TEXTS, findings_of
from isplit.studies.classes.outcome import measured
from isplit.studies.classes.proposal import Proposal, propose
from isplit.studies.classes.trainings import is_part_of, sweep_of, trainings
from isplit.studies.collect import Collection, by_condition
from isplit.studies.conditions import condition_of
from isplit.studies.run_folder import Run
from isplit.studies.seen import Look, Seen

log = logging.getLogger(__name__)


def classes_study(found: Collection, look: Look, options: Mapping[str, Any]) -> Findings:
    """Peaks of the classes and two subsets in every condition; both splits on both, if trained.

    A condition on some of the classes of another, in all else the same, is taken for what was
    trained on a subset, not for a condition of its own.

    Raises:
        ValueError: no condition can be studied.
    """
    conditions = by_condition(found.runs)
    examples = [same[0] for same in conditions.values()]
    parts, left_out = [], list(found.left_out)
    for name, runs in conditions.items():
        if any(is_part_of(runs[0], whole) for whole in examples):
            continue
        log.info("%s: %d runs", name, len(runs))
        try:
            parts.append(_studied(name, runs, found.runs, look(runs[0]), options))
        except ValueError as error:
            left_out.append(f"{name}: {error}")
    if not parts:
        raise ValueError("no condition to study:\n  " + "\n  ".join(left_out))
    files: dict[str, Any] = {}
    for number, (name, columns) in enumerate({"classes.csv": SUBSETS, "f1.csv": F1}.items()):
        rows = [{"condition": p.name, **row} for p in parts for row in p.tables[number].rows]
        files[name] = Table(name, (Column("condition"), *columns), rows)
    about = [part.files["classes.json"] for part in parts]
    files["classes.json"] = {"conditions": about, "left_out": left_out}
    title = TEXTS["title"]
    whole = Findings(title, f"{title} {len(parts)} conditions.", files=files, left_out=left_out)
    return of_all(whole, [replace(part, files={}) for part in parts])


def _studied(
    name: str, runs: Sequence[Run], known: Sequence[Run], seen: Seen, options: Mapping[str, Any]
) -> Findings:
    """One condition: curve, proposal, and what was trained or remains to be."""
    if "cui" not in seen.curves:
        raise ValueError("; ".join(seen.left_out))
    cui, repeats, left_out = seen.curves["cui"], options["repeats"], list(seen.left_out)
    proposal = propose(cui, _positions(options["among"], cui), options["classes_per_subset"])
    made = [
        [trainings(runs[0], subset, position, known, repeats) for position in proposal.splits]
        for subset in proposal.subsets
    ]
    nets, rows = [condition_of(name, runs, seen)], _proposed(cui, proposal)
    todo = sum(repeats - len(same) for both in made for same in both)
    if todo:
        command, why_none = sweep_of(runs[0], proposal, repeats)
        left_out += [*why_none, f"{todo} of {4 * repeats} trainings of the subsets"]
        return findings_of(nets, proposal, rows, command, left_out)
    for row, (first, second) in zip(rows, made, strict=True):
        own, kind = first[0].curve, first[0].ranked_by
        if kind == "cui":
            higher = max(proposal.splits, key=lambda position: own.values[position])
            row["own_curve_prefers"] = own.points[higher].label
        row |= measured(row["prefers"] == row["second_split"], first, second)
        of_subset = f"{name}, subset {row['subset']}"
        nets.append(condition_of(of_subset, [*first, *second], Seen({kind: own})))
    return findings_of(nets, proposal, rows, "", left_out)


def _positions(among: Sequence[str | int] | None, curve: Curve) -> list[int] | None:
    """The split points that ``study.among`` names, from the input on."""
    if among is None:
        return None
    chosen = [point.index for point in select(curve, among, key="study.among")]
    if len(chosen) < 2:
        raise ValueError(f"study.among={list(among)} must name at least two split points")
    return chosen


def _proposed(cui: Curve, proposal: Proposal) -> list[dict[str, Any]]:
    """A row for each subset, of which nothing is trained."""
    labels = [point.label for point in cui.points]
    first, second = (labels[position] for position in proposal.splits)
    return [
        {"subset": number, "classes": list(subset.classes), "peak": labels[subset.leans_to]}
        | {"at_peak": subset.at_home, "prefers": labels[subset.prefers]}
        | {"first_split": first, "second_split": second}
        for number, subset in enumerate(proposal.subsets, 1)
    ]
