"""The study of classes: two subsets that lean to different split points, both splits on both."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from isplit.report.findings import Drawing, Findings
from isplit.studies.classes.files import classes_json, classes_rows, f1_rows
from isplit.studies.classes.proposal import Subset, positions, propose
from isplit.studies.classes.splits import compare
from isplit.studies.classes.subsets import answers_of, is_part_of, sweep_of, trainings
from isplit.studies.classes.tables import f1_table, subsets_table
from isplit.studies.classes.verdict import ClassFinding
from isplit.studies.collect import Collection, Run, by_condition
from isplit.studies.conditions import Condition, condition_of, with_own_slugs
from isplit.studies.figures.classes import classes_figure
from isplit.studies.figures.f1 import f1_figure
from isplit.studies.seen import Look, Seen

log = logging.getLogger(__name__)

TITLE = "Do some classes want another split point?"
CAPTIONS = {
    "cl": "The CUI of each class by itself (I-SPLIT Fig. 8), its highest peak marked.",
    "f1": "F1 of each class before and after the split (I-SPLIT Fig. 5), in the whole net or the "
    "subset's own.",
}

Done = dict[tuple[Subset, int], list[Run]]
"""The trainings of each subset at each of the two points, in the order of their repeats."""


def classes_study(found: Collection, look: Look, options: Mapping[str, Any]) -> Findings:
    """Peaks of the classes and two subsets in every condition; both splits on both, if trained.

    A condition on some of the classes of another, in all else the same, is taken for what was
    trained on a subset, not for a condition of its own.

    Raises:
        ValueError: no condition can be studied.
    """
    findings, left_out = [], list(found.left_out)
    for name, runs in _of_all_classes(found.runs).items():
        log.info("%s: %d runs", name, len(runs))
        try:
            findings.append(_studied(name, runs, found.runs, look(runs[0]), options))
        except ValueError as error:
            left_out.append(f"{name}: {error}")
    if not findings:
        raise ValueError("no condition to study:\n  " + "\n  ".join(left_out))
    slugs = [c.slug for c, _ in with_own_slugs((f.condition, None) for f in findings)]
    parts = [replace(_shown(f), slug=slug) for f, slug in zip(findings, slugs, strict=True)]
    about = [classes_json(finding) for finding in findings]
    files = {
        "classes.csv": classes_rows(findings),
        "classes.json": {"conditions": about, "left_out": left_out},
        "f1.csv": f1_rows(findings),
    }
    if len(parts) == 1:
        return replace(parts[0], files=files, left_out=[*left_out, *parts[0].left_out])
    return Findings(TITLE, f"{TITLE} {len(parts)} conditions.", files=files, parts=parts)


def _of_all_classes(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The conditions that are not a subset's."""
    conditions = by_condition(runs)
    examples = [same[0] for same in conditions.values()]
    return {
        name: same
        for name, same in conditions.items()
        if not any(is_part_of(same[0], whole) for whole in examples)
    }


def _studied(
    name: str,
    runs: Sequence[Run],
    everything: Sequence[Run],
    seen: Seen,
    options: Mapping[str, Any],
) -> ClassFinding:
    """One condition: curve, proposal, and what was trained or remains to be."""
    if "cui" not in seen.curves:
        raise ValueError("; ".join(seen.left_out))
    condition = condition_of(name, runs, replace(seen, left_out=()))
    repeats = options["repeats"]
    among = positions(options["among"], seen.curves["cui"])
    proposal = propose(seen.curves["cui"], among, options["classes_per_subset"])
    done = {
        (subset, position): trainings(runs[0], subset, position, everything, repeats)
        for subset in proposal.subsets
        for position in proposal.splits
    }
    todo = sum(repeats - len(made) for made in done.values())
    if todo:
        command, why_none = sweep_of(runs[0], proposal, repeats)
        missing = f"{todo} of {len(done) * repeats} trainings of the subsets"
        left = (*seen.left_out, *why_none, missing)
        return ClassFinding(condition, proposal, command=command, left_out=left)
    answers = {key: [answers_of(run) for run in made] for key, made in done.items()}
    one, other = (
        compare(subset, proposal.splits, [answers[subset, p] for p in proposal.splits])
        for subset in proposal.subsets
    )
    nets = tuple(_net_of(f"{name}, subset {n + 1}", done, proposal.subsets[n]) for n in (0, 1))
    return ClassFinding(condition, proposal, (one, other), nets, left_out=tuple(seen.left_out))


def _net_of(name: str, done: Done, subset: Subset) -> Condition:
    """The condition of a subset's own net."""
    runs = [run for (own, _), made in done.items() if own == subset for run in made]
    return condition_of(name, runs, Seen({runs[0].curve.kind: runs[0].curve}))


def _shown(finding: ClassFinding) -> Findings:
    """One condition as tables and figures, its verdict as the answer."""
    figures = {"classes": classes_figure(finding.condition)}
    for number, net in enumerate((finding.condition, *finding.subset_conditions)):
        figures[f"f1_subset_{number}" if number else "f1"] = f1_figure(net)
    return Findings(
        name=finding.condition.name,
        answer=f"{TITLE} {finding.short}",
        verdict=finding.verdict,
        command=finding.command,
        facts=finding.condition.facts,
        tables=[subsets_table(finding), *([f1_table(finding)] if finding.retrainings else [])],
        figures=[Drawing(n, CAPTIONS[n[:2]], figure) for n, figure in figures.items() if figure],
        numbers=finding.numbers,
        left_out=finding.left_out,
    )
