"""The predictors over several conditions: who agrees best on the whole.

Shape suffixes: K conditions, D draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isplit.studies.agreement.board_verdict import leaderboard_verdict
from isplit.studies.agreement.correlation import NOTHING, Floats, interval, resamples
from isplit.studies.agreement.noise import ceiling
from isplit.studies.conditions import Condition
from isplit.studies.scores import Agreement, Interval, Leaderboard, Standing

DRAWS, SEED = 2000, 0


def leaderboard(conditions: Sequence[Condition]) -> Leaderboard:
    """How each predictor did over the conditions that have an agreement; the others are named.

    A mean is over the conditions in which the predictor has a rank correlation, and its interval
    is a bootstrap over these: conditions that share a data set or a baseline are drawn as if they
    did not, so it is a little narrow. The ceiling is the square root of the mean rank correlation
    of two trainings; it bounds agreement with *single* trainings, so shares of it are taken from
    ``PredictorScore.spearman_one_training``, over the conditions that have two trainings: those
    where chance decides little are easy for a predictor too.
    """
    known = [(c, c.agreement) for c in conditions if c.agreement is not None]
    names = dict.fromkeys(name for _, found in known for name in found.predictors)
    spearman = {name: tuple(_spearman(found, name) for _, found in known) for name in names}
    repeated = [found for _, found in known if found.noise.repeat_spearman is not None]
    repeat = _repeat_spearman(repeated)
    standings = [_standing(name, known, spearman) for name in names]
    board = Leaderboard(
        conditions=tuple(c.name for c, _ in known),
        standings=tuple(sorted(standings, key=lambda s: (-s.conditions, -_or_last(s)))),
        spearman=spearman,
        repeat_conditions=len(repeated),
        repeat_spearman=repeat,
        ceiling=ceiling(repeat),
        left_out=tuple(c.name for c in conditions if c.agreement is None),
    )
    return replace(board, verdict=leaderboard_verdict(board))


def _standing(
    name: str,
    known: Sequence[tuple[Condition, Agreement]],
    spearman: dict[str, tuple[float, ...]],
) -> Standing:
    """One predictor over the conditions that have a rank correlation for it."""
    rho_K = np.array(spearman[name])
    there = [k for k, rho in enumerate(rho_K) if not math.isnan(rho)]
    scores = [known[k][1].predictors[name] for k in there]
    nowhere = (math.nan,) * len(known)
    above_K = rho_K - np.array(spearman.get("cui", nowhere))
    above_K = above_K[~np.isnan(above_K)]
    return Standing(
        predictor=name,
        conditions=len(there),
        trains=any(condition.trains(name) for condition, _ in known),
        mean_spearman=_mean(rho_K[there]),
        mean_spearman_ci95=_mean_interval(rho_K[there]),
        lowest=float(min(rho_K[there], default=math.nan)),
        highest=float(max(rho_K[there], default=math.nan)),
        above_cui=_mean(above_K),
        above_cui_ci95=_mean_interval(above_K),
        beats_cui=int((above_K > 0).sum()),
        against_cui=len(above_K),
        mean_regret=_mean(np.array([s.regret for s in scores])),
        mean_regret_top3=_mean(np.array([s.regret_top3 for s in scores])),
        share_of_ceiling=_share_of_ceiling([known[k][1] for k in there], name),
    )


def _share_of_ceiling(found: Sequence[Agreement], name: str) -> float | None:
    """Mean agreement with one training over its bound, both over the repeated conditions."""
    repeated = [f for f in found if f.noise.repeat_spearman is not None]
    bound = ceiling(_repeat_spearman(repeated))
    reached = _mean(np.array([f.predictors[name].spearman_one_training for f in repeated]))
    return reached / bound if bound else None


def _repeat_spearman(found: Sequence[Agreement]) -> float | None:
    """Mean rank correlation of two trainings over the conditions that have it."""
    repeats = [r for f in found if (r := f.noise.repeat_spearman) is not None]
    return float(np.mean(repeats)) if repeats else None


def _spearman(found: Agreement, name: str) -> float:
    score = found.predictors.get(name)
    return math.nan if score is None else score.spearman


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _mean_interval(values: Floats) -> Interval:
    """Bootstrap interval of the mean over conditions; a single one has none."""
    if len(values) < 2:
        return NOTHING.ci95
    draws_DK, _ = resamples(len(values), DRAWS, SEED)
    return interval(values[draws_DK].mean(-1))


def _or_last(standing: Standing) -> float:
    return -math.inf if math.isnan(standing.mean_spearman) else standing.mean_spearman
