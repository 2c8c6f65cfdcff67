"""The study of agreement: every predictor beside what retraining came to."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from isplit.analysis.agreement import FEWEST_POINTS, agreement
from isplit.analysis.collect import Collection, Run, by_condition, correct_answers, facts
from isplit.analysis.findings import Condition, Retrained
from isplit.analysis.leaderboard import leaderboard
from isplit.analysis.noise import subset_accuracies
from isplit.outputs import Pictures, write_agreement
from isplit.runs.curves import Reopened, curves_and_costs, pictures_of, reopened_or_why_not
from isplit.tracking import log_agreement

log = logging.getLogger(__name__)


def agreement_study(
    cfg: DictConfig, found: Collection, folder: Path, loggers: Sequence[Logger]
) -> None:
    """Curves, agreement and verdict of every condition; a leaderboard where there are several."""
    conditions, pictures = judged_conditions(cfg, by_condition(found.runs))
    scored = [condition for condition in conditions if condition.agreement]
    board = leaderboard(scored) if len(scored) > 1 else None
    text = OmegaConf.to_yaml(cfg, resolve=True)
    write_agreement(conditions, board, pictures, found.left_out, text, folder)
    log_agreement(loggers, conditions, board, folder)
    log.info("open %s", folder / "report.html")


def judged_conditions(
    cfg: DictConfig, groups: Mapping[str, Sequence[Run]]
) -> tuple[list[Condition], dict[str, Pictures]]:
    """Every condition with its curves and, where enough points were retrained, its agreement."""
    conditions, pictures = [], {}
    for number, (name, runs) in enumerate(groups.items(), 1):
        log.info("%s: %d runs (%d of %d)", name, len(runs), number, len(groups))
        ready = reopened_or_why_not(cfg, runs[0])
        condition = _judged(_condition(cfg, name, runs, ready))
        conditions.append(condition)
        shown = pictures_of(cfg, ready) if isinstance(ready, Reopened) else None
        if shown is not None:
            pictures[condition.slug] = shown
    return conditions, pictures


def _condition(cfg: DictConfig, name: str, runs: Sequence[Run], ready: Reopened | str) -> Condition:
    first = runs[0].result
    curves, costs, missing = curves_and_costs(cfg, runs[0], ready)
    return Condition(
        name=name,
        slug=_slug(name),
        facts=facts(runs[0]),
        class_names=first.per_class.class_names,
        baseline_accuracy=first.accuracy.baseline,
        baseline_f1=first.per_class.baseline_f1,
        test_images=first.accuracy.test_images,
        points=runs[0].curve.points,
        retrained=tuple(_retrained(runs)),
        curves=curves,
        costs=costs,
        left_out=tuple(missing),
    )


def _judged(condition: Condition) -> Condition:
    """The condition with its agreement, or with the reason why there is none."""
    if len(condition.retrained) >= FEWEST_POINTS:
        return replace(condition, agreement=agreement(condition))
    reason = f"no agreement: {len(condition.retrained)} points retrained, {FEWEST_POINTS} needed"
    return replace(condition, left_out=(*condition.left_out, reason))


def _retrained(runs: Sequence[Run]) -> list[Retrained]:
    """The trainings of each point, from the input on."""
    by_position: dict[int, list[Run]] = {}
    for run in sorted(runs, key=lambda run: int(run.config.get("repeat", 0))):
        by_position.setdefault(run.result.split.index, []).append(run)
    return [
        Retrained(position, tuple(run.result for run in same), _subsets(same[0]))
        for position, same in sorted(by_position.items())
    ]


def _subsets(run: Run) -> tuple[float, ...]:
    correct = correct_answers(run)
    return () if correct is None else subset_accuracies(correct)


def _slug(name: str) -> str:
    """A folder name: letters, digits and dots, the rest dashes."""
    kept = "".join(c if c.isalnum() or c in "._" else " " for c in name)
    return "-".join(kept.split())
