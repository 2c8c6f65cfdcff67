"""The answer of a condition, and what the predictors did over all conditions, in words."""

from collections.abc import Sequence

from isplit.studies.agreement.verdict import called, estimate, in_points, price, told
from isplit.studies.conditions import Condition
from isplit.studies.scores import Leaderboard


def why(condition: Condition) -> str:
    """Why the answer is the most accurate point, and what the runs' predictor would have taken."""
    n, label = len(condition.retrained), condition.points[condition.most_accurate.position].label
    if n < 2:
        return f"{label} is the only point that was trained."
    said = f"{label} is the most accurate of {n} trained points"
    score = condition.agreement and condition.agreement.predictors.get(condition.ranked_by)
    if not score or condition.ranked_by == "cui":  # of which the verdict speaks
        return f"{said}."
    return f"{said}; by {condition.ranked_by}, {price(score)}."


def leaderboard_verdict(board: Leaderboard) -> str:
    """Which predictor without training leads, what cannot be told from it, what its choice costs.

    The same again among the points that leave half of the multiply-accumulates to the server.
    """
    if not board.conditions:
        return "Nothing to compare: in no condition were three split points retrained."
    n = len(board.conditions)
    half = _lead(board, board.half_tied, "half_")
    sentences = [
        _lead(board, board.tied)
        or "no predictor without training has a rank correlation in all of them",
        half and f"with at most half of the multiply-accumulates on the device, {half}",
        "" if n > 1 else "one condition says nothing about others",
    ]
    return told(f"N={n} condition{'s' * (n > 1)}", sentences)


def _lead(board: Leaderboard, tied: Sequence[str], part: str = "") -> str:
    """Who leads the predictors without training that are in every condition."""
    if not tied:
        return ""
    best = next(vars(s) for s in board.standings if s.predictor == tied[0])
    ties = f", from which {', '.join(map(called, tied[1:]))} cannot be told" if tied[1:] else ""
    mean, worst = (in_points(best[f"{part}{of}_regret"]) for of in ("mean", "worst"))
    rho = estimate(best[f"{part}mean_spearman"], best[f"{part}mean_spearman_ci95"])
    return (
        f"{called(tied[0])} leads the predictors without training with a mean rho of {rho}{ties}; "
        f"its {best['rule']} loses {mean} on average, {worst} at worst"
    )
