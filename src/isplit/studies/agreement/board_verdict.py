"""What the predictors did over all conditions, in words."""

import math

from isplit.studies.agreement.verdict import between, called, in_points, told
from isplit.studies.scores import Leaderboard, Standing

HALF = "half_"  # begins the fields of a standing that are of the points with half of the work


def leaderboard_verdict(board: Leaderboard) -> str:
    """Which predictor without training leads, what cannot be told from it, what its choice costs.

    The same again among the points that leave half of the multiply-accumulates to the server.
    """
    if not board.conditions:
        return "Nothing to compare: in no condition were three split points retrained."
    n = len(board.conditions)
    lead = _lead(board, board.tied, "")
    half = _lead(board, board.half_tied, HALF)
    sentences = [
        lead or "no predictor without training has a rank correlation in all of them",
        half and f"with at most half of the multiply-accumulates on the device, {half}",
        "" if n > 1 else "one condition says nothing about others",
    ]
    return told(f"N={n} condition{'s' * (n > 1)}", sentences)


def _lead(board: Leaderboard, tied: tuple[str, ...], part: str) -> str:
    """Who leads the predictors without training that are in every condition."""
    if not tied:
        return ""
    best = next(s for s in board.standings if s.predictor == tied[0])
    others = [called(name) for name in tied[1:]]
    ties = f", from which {', '.join(others)} cannot be told" if others else ""
    mean, worst = (in_points(getattr(best, f"{part}{of}_regret")) for of in ("mean", "worst"))
    return (
        f"{called(best.predictor)} leads the predictors without training with a mean rho of "
        f"{_mean(best, part)}{ties}; its {best.rule} loses {mean} on average, {worst} at worst"
    )


def _mean(standing: Standing, part: str) -> str:
    interval = getattr(standing, f"{part}mean_spearman_ci95")
    known = "" if math.isnan(interval[0]) else f" {between(interval)}"
    return f"{getattr(standing, f'{part}mean_spearman'):.2f}{known}"
