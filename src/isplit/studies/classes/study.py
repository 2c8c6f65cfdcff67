"""The study of classes: two subsets that lean to different split points, both splits on both."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from isplit.report.findings import Drawing, Findings, Value
from isplit.studies.classes.proposal import Proposal, Subset, propose
from isplit.studies.classes.splits import Retraining, Trained, compare, shift
from isplit.studies.classes.subsets import class_names, is_part_of, sweep_of
from isplit.studies.classes.tables import (
    classes_json,
    classes_rows,
    f1_rows,
    f1_table,
    subsets_table,
)
from isplit.studies.classes.verdict import ClassFinding
from isplit.studies.collect import Collection, Run, by_condition, correct_answers
from isplit.studies.conditions import Condition, Look, Seen, condition_of, with_own_slugs
from isplit.studies.figures.classes import classes_figure
from isplit.studies.figures.f1 import f1_figure

log = logging.getLogger(__name__)

TITLE = "Do some classes want another split point?"
CLASSES_CAPTION = "The CUI of each class by itself (I-SPLIT Fig. 8), its highest peak marked."
F1_CAPTION = "F1 of each class before and after the split (I-SPLIT Fig. 5), in {} net."

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
    condition = _condition(name, runs, seen)
    among = _positions(options["among"], condition)
    proposal = propose(seen.curves["cui"], among, options["classes_per_subset"])
    done = {
        (subset, position): _trainings(runs[0], subset, position, everything)
        for subset in proposal.subsets
        for position in proposal.splits
    }
    todo = sum(max(0, options["repeats"] - len(made)) for made in done.values())
    if todo:
        command, why_none = sweep_of(runs[0], proposal, options["repeats"])
        missing = f"{todo} of {len(done) * options['repeats']} trainings of the subsets"
        left = (*seen.left_out, *why_none, missing)
        return ClassFinding(condition, proposal, command=command, left_out=left)
    one, other = (_compared(proposal, subset, done) for subset in proposal.subsets)
    nets = tuple(_net_of(f"{name}, subset {n + 1}", done, proposal.subsets[n]) for n in (0, 1))
    return ClassFinding(condition, proposal, (one, other), nets, left_out=tuple(seen.left_out))


def _trainings(whole: Run, subset: Subset, position: int, runs: Sequence[Run]) -> list[Run]:
    """The runs on these classes at this point, in all else as ``whole``, one for each repeat."""
    made = {
        int(run.config.get("repeat", 0)): run
        for run in runs
        if class_names(run) == subset.classes
        and run.result.split.index == position
        and is_part_of(run, whole)
    }
    return [made[repeat] for repeat in sorted(made)]


def _compared(proposal: Proposal, subset: Subset, done: Done) -> Retraining:
    """Both splits over as many trainings as both have."""
    first, second = (done[subset, position] for position in proposal.splits)
    both = min(len(first), len(second))
    pair = ([_trained(run) for run in runs[:both]] for runs in (first, second))
    return compare(subset, proposal.splits, (next(pair), next(pair)))


def _trained(run: Run) -> Trained:
    correct, per_class = correct_answers(run), run.result.per_class
    if correct is None:
        raise ValueError(f"{run.folder} has no predictions.csv: without it nothing is paired")
    return Trained(
        correct=tuple(correct),
        baseline=run.result.accuracy.baseline,
        own_curve=run.curve.values if run.curve.kind == "cui" else None,
        class_names=per_class.class_names,
        baseline_f1=per_class.baseline_f1,
        split_f1=per_class.split_f1,
    )


def _net_of(name: str, done: Done, subset: Subset) -> Condition:
    """The condition of a subset's own net."""
    runs = [run for (own, _), made in done.items() if own == subset for run in made]
    return _condition(name, runs, Seen({runs[0].curve.kind: runs[0].curve}))


def _condition(name: str, runs: Sequence[Run], seen: Seen) -> Condition:
    return condition_of(name, runs, replace(seen, left_out=()))


def _positions(among: Sequence[str | int] | None, condition: Condition) -> list[int] | None:
    """The split points that ``study.among`` names, from the input on.

    Raises:
        ValueError: one is no split point of the model, or there are fewer than two.
    """
    if among is None:
        return None
    places = {n: p.index for p in condition.points for n in (p.name, *p.aliases, str(p.index))}
    unknown = [str(name) for name in among if str(name) not in places]
    if unknown:
        labels = ", ".join(point.label for point in condition.points)
        raise ValueError(f"study.among={unknown[0]!r} is no split point: {labels}")
    chosen = sorted({places[str(name)] for name in among})
    if len(chosen) < 2:
        raise ValueError(f"study.among={list(among)} must name at least two split points")
    return chosen


def _shown(finding: ClassFinding) -> Findings:
    """One condition as tables and figures, its verdict as the answer."""
    made = finding.retrainings is not None
    nets = [finding.condition, *finding.subset_conditions]
    drawn = {f"f1_subset_{n}" if n else "f1": f1_figure(net) for n, net in enumerate(nets)}
    figures = [("classes", CLASSES_CAPTION, classes_figure(finding.condition))]
    for name, figure in drawn.items():
        figures.append(
            (name, F1_CAPTION.format("a subset's own" if "_" in name else "the whole"), figure)
        )
    answer = f"{TITLE} {_short(finding)}"
    return Findings(
        name=finding.condition.name,
        answer=answer,
        verdict=finding.verdict,
        command=finding.command,
        facts=finding.condition.facts,
        tables=[subsets_table(finding), *([f1_table(finding)] if made else [])],
        figures=[Drawing(name, caption, figure) for name, caption, figure in figures if figure],
        numbers=_numbers(finding),
        left_out=finding.left_out,
    )


def _short(finding: ClassFinding) -> str:
    """The answer in a few words."""
    if finding.retrainings is None:
        return "Not tried yet: this command trains both splits on both subsets."
    moved = shift(finding.retrainings)
    if not moved.is_beyond_error:
        return "Not beyond chance."
    return "Yes, as their curves say." if moved.value > 0 else "Yes, against their curves."


def _numbers(finding: ClassFinding) -> dict[str, Value]:
    """For trackers: the verdict and the differences."""
    told: dict[str, Value] = {"classes/verdict": finding.verdict}
    for number, made in enumerate(finding.retrainings or (), 1):
        told |= {
            f"classes/subset_{number}/preferred_minus_other": made.preferred.value,
            f"classes/subset_{number}/error": made.preferred.error,
        }
    if finding.retrainings is not None:
        told["classes/shift"] = shift(finding.retrainings).value
    return told
