"""The study of classes: two subsets that lean to different split points, both splits on both."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from isplit import config
from isplit.analysis.class_finding import ClassFinding
from isplit.analysis.class_splits import Retraining, Trained, compare, shift
from isplit.analysis.classes import Proposal, Subset, propose
from isplit.analysis.collect import Collection, Run, by_condition, correct_answers
from isplit.analysis.conditions import condition_of, slug
from isplit.analysis.findings import Condition
from isplit.outputs import write_classes
from isplit.runs.curves import curves_and_costs, reopened_or_why_not
from isplit.runs.subset_jobs import SubsetJob, class_names, is_part_of
from isplit.tracking import log_summary
from isplit.types import Curve

log = logging.getLogger(__name__)

Done = Mapping[SubsetJob, Run]


def classes_study(
    cfg: DictConfig, found: Collection, folder: Path, loggers: Sequence[Logger]
) -> None:
    """Peaks of the classes and two subsets in every condition; both splits on both, if trained.

    A condition on some of the classes of another, in all else the same, is taken for what was
    trained on a subset, not for a condition of its own.

    Raises:
        ValueError: no condition can be studied.
    """
    findings, left_out = [], list(found.left_out)
    conditions = _of_all_classes(found.runs)
    for name, runs in conditions.items():
        log.info("%s: %d runs", name, len(runs))
        place = folder if len(conditions) == 1 else folder / slug(name)
        try:
            findings.append(_studied(cfg, name, runs, found.runs, place))
        except ValueError as error:
            left_out.append(f"{name}: {error}")
    if not findings:
        raise ValueError("no condition to study:\n  " + "\n  ".join(left_out))
    write_classes(findings, left_out, folder)
    for finding in findings:
        _tell(loggers, finding, f"{finding.condition.slug}/" if len(findings) > 1 else "")


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
    cfg: DictConfig, name: str, runs: Sequence[Run], everything: Sequence[Run], place: Path
) -> ClassFinding:
    """One condition: curve, proposal, and what was trained or remains to be."""
    ready = reopened_or_why_not(cfg, runs[0])
    curves, _, missing = curves_and_costs(cfg, runs[0], ready)
    if "cui" not in curves:
        raise ValueError("; ".join(missing))
    condition = _condition(name, runs, curves["cui"])
    among = _positions(config.plain(cfg.study.among), condition)
    proposal = propose(curves["cui"], among, cfg.study.classes_per_subset)
    jobs = _jobs(runs[0], proposal, cfg.study.repeats)
    done = {job: run for job in jobs if (run := job.found_in(everything)) is not None}
    todo = [job for job in jobs if job not in done]
    commands, unsayable = _commands(todo, place, bool(cfg.study.allow_code))
    if todo and not cfg.study.run:
        for line in commands:
            log.info("%s", line)
        left = (*missing, *unsayable, f"{len(todo)} of {len(jobs)} trainings of the subsets")
        return ClassFinding(condition, proposal, commands=commands, left_out=left)
    for job in todo:
        log.info("%s: %s", job.name, ", ".join(job.subset.classes))
        done[job] = job.run_in(place / job.name, cfg)
    one, other = (_compared(proposal, subset, done) for subset in proposal.subsets)
    nets = tuple(_net_of(name, done, number) for number in (1, 2))
    return ClassFinding(condition, proposal, (one, other), nets, commands, tuple(missing))


def _jobs(whole: Run, proposal: Proposal, repeats: int) -> list[SubsetJob]:
    return [
        SubsetJob(whole, subset, number, position, repeat)
        for number, subset in enumerate(proposal.subsets, 1)
        for position in proposal.splits
        for repeat in range(repeats)
    ]


def _commands(
    jobs: Sequence[SubsetJob], place: Path, allow_code: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The commands for a shell; or none, and why."""
    try:
        return tuple(job.command(place / job.name, allow_code=allow_code) for job in jobs), ()
    except ValueError as error:
        return (), (str(error),)


def _compared(proposal: Proposal, subset: Subset, done: Done) -> Retraining:
    first, second = (
        [_trained(run) for job, run in done.items() if (job.subset, job.position) == (subset, p)]
        for p in proposal.splits
    )
    return compare(subset, proposal.splits, (first, second))


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


def _net_of(name: str, done: Done, number: int) -> Condition:
    """The condition of a subset's own net."""
    runs = [run for job, run in done.items() if job.number == number]
    return _condition(f"{name}, subset {number}", runs, runs[0].curve)


def _condition(name: str, runs: Sequence[Run], curve: Curve) -> Condition:
    """The same as in any study, its classes under the names by which they are chosen."""
    condition = condition_of(name, runs, {curve.kind: curve})
    return replace(condition, class_names=class_names(runs[0]))


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


def _tell(loggers: Sequence[Logger], finding: ClassFinding, prefix: str) -> None:
    """The loggers learn the verdict and the differences."""
    told: dict[str, str | int | float] = {"classes/verdict": finding.verdict}
    for number, made in enumerate(finding.retrainings or (), 1):
        told |= {
            f"classes/subset_{number}/preferred_minus_other": made.preferred.value,
            f"classes/subset_{number}/error": made.preferred.error,
        }
    if finding.retrainings is not None:
        told["classes/shift"] = shift(finding.retrainings).value
    log_summary(loggers, {prefix + name: value for name, value in told.items()})
