"""The study of agreement: every predictor beside what retraining came to."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from isplit.analysis.agreement import FEWEST_POINTS, agreement
from isplit.analysis.collect import Collection, Run, by_condition
from isplit.analysis.conditions import condition_of
from isplit.analysis.findings import Condition
from isplit.analysis.leaderboard import leaderboard
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
        curves, costs, missing = curves_and_costs(cfg, runs[0], ready)
        condition = _judged(condition_of(name, runs, curves, costs, missing))
        conditions.append(condition)
        shown = pictures_of(cfg, ready) if isinstance(ready, Reopened) else None
        if shown is not None:
            pictures[condition.slug] = shown
    return conditions, pictures


def _judged(condition: Condition) -> Condition:
    """The condition with its agreement, or with the reason why there is none."""
    if len(condition.retrained) >= FEWEST_POINTS:
        return replace(condition, agreement=agreement(condition))
    reason = f"no agreement: {len(condition.retrained)} points retrained, {FEWEST_POINTS} needed"
    return replace(condition, left_out=(*condition.left_out, reason))
