"""The predictors over several conditions: who agrees best on the whole.

Shape suffixes: K conditions, G groups of them, D draws.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from isplit.studies.agreement.board_verdict import leaderboard_verdict
from isplit.studies.agreement.correlation import NOTHING, Floats, interval, resamples
from isplit.studies.agreement.noise import ceiling
from isplit.studies.conditions import Condition
from isplit.studies.scores import Agreement, Interval, Leaderboard, PredictorScore, Standing

DRAWS, SEED = 2000, 0
FAMILY = re.compile(r"[^\W\d_]*")

Scores = Sequence[Mapping[str, PredictorScore]]
"""Of the predictors in each condition."""


def leaderboard(conditions: Sequence[Condition]) -> Leaderboard:
    """How each predictor did over the conditions that have an agreement; the others are named.

    A mean is over the conditions in which the predictor has a rank correlation. Its interval is a
    bootstrap that draws all conditions of one net and data set together, for they share what makes
    a predictor do well. The ceiling is the square root of the mean rank correlation of two
    trainings: it bounds agreement with *single* trainings (``spearman_one_training``).
    """
    known = [(c, c.agreement) for c in conditions if c.agreement is not None]
    names = dict.fromkeys(name for _, found in known for name in found.predictors)
    everywhere, light = [f.predictors for _, f in known], [f.half for _, f in known]
    spearman = {name: tuple(_spearman(everywhere, name).tolist()) for name in names}
    repeated = [found for _, found in known if found.noise.repeat_spearman is not None]
    repeat = _repeat_spearman(repeated)
    standings = [_standing(name, known, everywhere, light) for name in names]
    cheap = [s.predictor for s in standings if not s.trains]
    board = Leaderboard(
        conditions=tuple(c.name for c, _ in known),
        standings=tuple(sorted(standings, key=lambda s: (-s.conditions, -_or_last(s)))),
        spearman=spearman,
        repeat_conditions=len(repeated),
        repeat_spearman=repeat,
        ceiling=ceiling(repeat),
        tied=_tied(cheap, everywhere, _groups(known)),
        half_tied=_tied(cheap, light, _groups(known)),
        left_out=tuple(c.name for c in conditions if c.agreement is None),
    )
    return replace(board, verdict=leaderboard_verdict(board))


def _standing(
    name: str, known: Sequence[tuple[Condition, Agreement]], everywhere: Scores, light: Scores
) -> Standing:
    """One predictor over the conditions that have a rank correlation for it."""
    rho_K, groups = _spearman(everywhere, name), _groups(known)
    there_K = ~np.isnan(rho_K)
    above_K = rho_K - _spearman(everywhere, "cui")
    families = [_family(condition) for condition, _ in known]
    return Standing(
        predictor=name,
        conditions=int(there_K.sum()),
        trains=any(condition.trains(name) for condition, _ in known),
        rule=next(scores[name].rule for scores in everywhere if name in scores),
        **_over(name, everywhere, groups),
        **{f"half_{field}": value for field, value in _over(name, light, groups).items()},
        lowest=float(min(rho_K[there_K], default=math.nan)),
        highest=float(max(rho_K[there_K], default=math.nan)),
        beats_cui=int((above_K > 0).sum()),
        against_cui=int((~np.isnan(above_K)).sum()),
        families={f: _mean(rho_K[[f == own for own in families]]) for f in dict.fromkeys(families)},
    )


def _over(name: str, scores: Scores, groups: Sequence[str]) -> dict[str, Any]:
    """Rank correlation and loss over the conditions that have them."""
    rho_K = _spearman(scores, name)
    lost = [of[name].auto_regret for of in scores if name in of]
    regrets = [regret for regret in lost if not math.isnan(regret)]
    return {
        "mean_spearman": _mean(rho_K),
        "mean_spearman_ci95": _mean_interval(rho_K, groups),
        "mean_regret": _mean(np.array(regrets)),
        "worst_regret": max(regrets, default=math.nan),
    }


def _tied(names: Sequence[str], scores: Scores, groups: Sequence[str]) -> tuple[str, ...]:
    """The first of the predictors that are everywhere, and those that cannot be told from it."""
    rho = {name: _spearman(scores, name) for name in names}
    complete = [name for name in names if len(scores) and not np.isnan(rho[name]).any()]
    ranked = sorted(complete, key=lambda name: -_mean(rho[name]))
    lows = {name: _mean_interval(rho[ranked[0]] - rho[name], groups)[0] for name in ranked}
    return tuple(name for name in ranked if name == ranked[0] or not lows[name] > 0)


def _groups(known: Sequence[tuple[Condition, Agreement]]) -> list[str]:
    """Net and data set of each condition."""
    return [f"{c.facts.get('model')} on {c.facts.get('data')}" for c, _ in known]


def _family(condition: Condition) -> str:
    """The letters that the name of the net begins with: ``vgg`` of vgg16."""
    found = FAMILY.match(str(condition.facts.get("model", "")))
    return (found and found[0]) or "other"


def _repeat_spearman(found: Sequence[Agreement]) -> float | None:
    """Mean rank correlation of two trainings over the conditions that have it."""
    repeats = [r for f in found if (r := f.noise.repeat_spearman) is not None]
    return float(np.mean(repeats)) if repeats else None


def _spearman(scores: Scores, name: str) -> Floats:
    """Of a predictor in each condition (K); NaN where there is none."""
    return np.array([of[name].spearman if name in of else math.nan for of in scores])


def _mean(values: Floats) -> float:
    """Of what is not NaN."""
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if len(kept) else math.nan


def _mean_interval(values: Floats, groups: Sequence[str]) -> Interval:
    """Bootstrap interval of the mean of what is not NaN; groups are drawn whole, one has none."""
    by_group = [values[[g == own for own in groups]] for g in dict.fromkeys(groups)]
    there = [kept for of in by_group if len(kept := of[~np.isnan(of)])]
    if len(there) < 2:
        return NOTHING.ci95
    sum_G, size_G = (np.array([f(of) for of in there]) for f in (np.sum, len))
    draws_DG, _ = resamples(len(there), DRAWS, SEED)
    return interval(sum_G[draws_DG].sum(-1) / size_G[draws_DG].sum(-1))


def _or_last(standing: Standing) -> float:
    return -math.inf if math.isnan(standing.mean_spearman) else standing.mean_spearman
