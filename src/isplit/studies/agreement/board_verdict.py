"""What the predictors did over all conditions, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable

from isplit.studies.agreement.verdict import between, called, compared, told
from isplit.studies.scores import Leaderboard, Standing


def leaderboard_verdict(board: Leaderboard) -> str:
    """One to three sentences: which predictor leads, by how much, and whether CUI beats depth."""
    if not board.conditions:
        return "Nothing to compare: in no condition were three split points retrained."
    n = len(board.conditions)
    cheap = [s for s in board.standings if s.conditions == n and not s.trains]
    alone = "" if n > 1 else "one condition says nothing about others"
    sentences = [_lead(board, cheap), _cui_against_depth(board), alone]
    return told(f"N={n} condition{'s' * (n > 1)}", sentences)


def _lead(board: Leaderboard, cheap: list[Standing]) -> str:
    """Who leads the predictors without training that are in every condition."""
    if not cheap:
        return "no predictor without training has a rank correlation in all of them"
    best, *others = cheap
    sentence = (
        f"{called(best.predictor)} leads the predictors without training with a mean rho of "
        f"{_mean(best)}"
    )
    if best.share_of_ceiling is not None:
        repeated, of = board.repeat_conditions, len(board.conditions)
        where = "" if repeated == of else f", over the {repeated} of {of} trained more than once"
        sentence += (
            f", against single trainings {best.share_of_ceiling:.2f} of what their noise leaves to "
            f"any ({board.ceiling:.2f}{where})"
        )
    if others:
        sentence += f"; next comes {called(others[0].predictor)} ({_mean(others[0])})"
    if best.against_cui and best.predictor != "cui":
        sentence += f"; it is above CUI in {best.beats_cui} of {best.against_cui}"
    return sentence


def _cui_against_depth(board: Leaderboard) -> str:
    """Whether CUI's mean is above depth's, over the conditions that have both."""
    cui, depth = (_standing(board.standings, name) for name in ("cui", "depth"))
    if cui is None or depth is None:
        return ""
    pairs = zip(board.spearman["cui"], board.spearman["depth"], strict=True)
    both = [(c, d) for c, d in pairs if not math.isnan(c) and not math.isnan(d)]
    wins = sum(c > d for c, d in both)
    return (
        f"against depth ({_mean(depth)}) CUI does "
        f"{compared(cui.mean_spearman, depth.mean_spearman)} ({_mean(cui)}), above it in {wins} "
        f"of {len(both)}"
    )


def _standing(standings: Iterable[Standing], predictor: str) -> Standing | None:
    return next((s for s in standings if s.predictor == predictor and s.conditions), None)


def _mean(standing: Standing) -> str:
    if math.isnan(standing.mean_spearman_ci95[0]):
        return f"{standing.mean_spearman:.2f}"
    return f"{standing.mean_spearman:.2f} {between(standing.mean_spearman_ci95)}"
