"""The predictors over several conditions: who agrees best on the whole.

Shape suffixes: K conditions, G groups of them, D draws.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from isplit.report.table import Table
from isplit.studies.agreement.answers import leaderboard_verdict
from isplit.studies.agreement.correlation import NOTHING, Floats, interval, mean_of, resamples
from isplit.studies.agreement.noise import ceiling
from isplit.studies.conditions import MEASURED, Condition
from isplit.studies.scores import Interval, Leaderboard, PredictorScore, Standing, or_least

DRAWS, SEED = 2000, 0


@dataclass(frozen=True)
class _Scores:
    """Of the predictors in each condition, with net and data set of each."""

    each: Sequence[Mapping[str, PredictorScore]]
    groups: Sequence[str]

    def rho(self, name: str) -> Floats:
        """Rank correlation of a predictor in each condition (K); NaN where there is none."""
        return np.array([of[name].spearman if name in of else math.nan for of in self.each])

    def order(self, name: str) -> dict[str, Any]:
        """Mean rank correlation over the conditions that have one, with its interval."""
        rho_K = self.rho(name)
        interval = _mean_interval(rho_K, self.groups)
        return {"mean_spearman": mean_of(rho_K), "mean_spearman_ci95": interval}

    def loss(self, name: str) -> dict[str, float]:
        """What auto loses by it, over the conditions that have one."""
        lost = np.array([of[name].auto_regret for of in self.each if name in of])
        worst = max(lost[~np.isnan(lost)].tolist(), default=math.nan)
        return {"mean_regret": mean_of(lost), "worst_regret": worst}

    def tied(self, names: Sequence[str]) -> tuple[str, ...]:
        """The best of the predictors that are everywhere, and what cannot be told from it."""
        rho = {name: rho_K for name in names if not np.isnan(rho_K := self.rho(name)).any()}
        ranked = sorted(rho if self.each else (), key=lambda name: -mean_of(rho[name]))
        lows = {n: _mean_interval(rho[ranked[0]] - rho[n], self.groups)[0] for n in ranked}
        return tuple(name for name in ranked if name == ranked[0] or not lows[name] > 0)


def leaderboard(conditions: Sequence[Condition]) -> Leaderboard:
    """How each predictor did over the conditions that have an agreement; the others are named.

    A mean is over the conditions in which the predictor has a rank correlation. Its interval is a
    bootstrap that draws all conditions of one net and data set together, for they share what makes
    a predictor do well. The ceiling is the square root of the mean rank correlation of two
    trainings: it bounds agreement with *single* trainings (``spearman_one_training``).
    """
    known = [(c, c.agreement) for c in conditions if c.agreement is not None]
    groups = [f"{c.facts.get('model')} on {c.facts.get('data')}" for c, _ in known]
    whole = _Scores([found.predictors for _, found in known], groups)
    half = _Scores([found.half for _, found in known], groups)
    names = dict.fromkeys(name for scores in whole.each for name in scores)
    standings = [_standing(name, [c for c, _ in known], whole, half) for name in names]
    cheap = [s.predictor for s in standings if not s.trains]
    repeats = [r for _, found in known if (r := found.noise.repeat_spearman) is not None]
    repeat = float(np.mean(repeats)) if repeats else None
    board = Leaderboard(
        conditions=tuple(c.name for c, _ in known),
        standings=tuple(
            sorted(standings, key=lambda s: (-s.conditions, -or_least(s.mean_spearman)))
        ),
        spearman={name: tuple(whole.rho(name).tolist()) for name in names},
        repeat_conditions=len(repeats),
        repeat_spearman=repeat,
        ceiling=ceiling(repeat),
        tied=whole.tied(cheap),
        half_tied=half.tied(cheap),
        left_out=tuple(c.name for c in conditions if c.agreement is None),
    )
    return replace(board, verdict=leaderboard_verdict(board))


def standings_rows(board: Leaderboard) -> Table:
    """``leaderboard.csv``: a predictor's standing, then its rank correlation in each condition."""
    rows = []
    for standing in board.standings:
        row: dict[str, Any] = {}
        for name, value in asdict(standing).items():
            both = isinstance(value, tuple)
            row |= {f"{name}_low": value[0], f"{name}_high": value[1]} if both else {name: value}
        row |= row.pop("families")
        rows.append(
            row | dict(zip(board.conditions, board.spearman[standing.predictor], strict=True))
        )
    return Table.of_rows("leaderboard", rows)


def tracked_rows(board: Leaderboard) -> Table:
    """For trackers: mean and range of each predictor that has a rank correlation."""
    rows = [
        {"predictor": s.predictor, "spearman": s.mean_spearman}
        | {"lowest": s.lowest, "highest": s.highest}
        for s in board.standings
        if s.conditions
    ]
    return Table.of_rows("leaderboard", rows)


def _standing(
    name: str, conditions: Sequence[Condition], whole: _Scores, half: _Scores
) -> Standing:
    """One predictor over the conditions that have a rank correlation for it."""
    rho_K, cui_K = whole.rho(name), whole.rho("cui")
    there_K = rho_K[~np.isnan(rho_K)].tolist()
    family_K = np.array([_family(condition) for condition in conditions])
    return Standing(
        predictor=name,
        conditions=len(there_K),
        trains=name in MEASURED,
        rule=next(scores[name].rule for scores in whole.each if name in scores),
        **whole.order(name) | whole.loss(name),
        **{f"half_{key}": value for key, value in (half.order(name) | half.loss(name)).items()},
        lowest=min(there_K, default=math.nan),
        highest=max(there_K, default=math.nan),
        beats_cui=int((rho_K > cui_K).sum()),
        against_cui=int((~np.isnan(rho_K - cui_K)).sum()),
        families={f: mean_of(rho_K[family_K == f]) for f in dict.fromkeys(family_K.tolist())},
    )


def _family(condition: Condition) -> str:
    """The letters that the name of the net begins with: ``vgg`` of vgg16."""
    return re.split(r"[\W\d_]", str(condition.facts.get("model", "")))[0] or "other"


def _mean_interval(values: Floats, groups: Sequence[str]) -> Interval:
    """Bootstrap interval of the mean of what is not NaN; groups are drawn whole, one has none."""
    by_group = [values[[g == own for own in groups]] for g in dict.fromkeys(groups)]
    there = [kept for of in by_group if len(kept := of[~np.isnan(of)])]
    if len(there) < 2:
        return NOTHING.ci95
    sum_G, size_G = (np.array([f(of) for of in there]) for f in (np.sum, len))
    draws_DG, _ = resamples(len(there), DRAWS, SEED)
    return interval(sum_G[draws_DG].sum(-1) / size_G[draws_DG].sum(-1))
