"""What W&B is told of an analysis: curves and scatters as tables and charts, the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import Logger

from isplit.analysis.findings import Condition, Leaderboard
from isplit.tracking.results import (
    Rows,
    Value,
    log_artifact,
    log_line,
    log_scatter,
    log_summary,
    log_tables,
)

COLUMNS = ("index", "layer", "predictor", "value", "rank", "accuracy")


def log_agreement(
    loggers: Sequence[Logger],
    conditions: Sequence[Condition],
    board: Leaderboard | None,
    folder: Path,
) -> None:
    """A table of curves, their charts and the scores of each condition; the report as an artifact.

    With several conditions their names begin with the condition's; the leaderboard has a table.
    """
    for condition in conditions:
        prefix = "" if len(conditions) == 1 else f"{condition.slug}/"
        _log_condition(loggers, condition, prefix)
    if board is not None:
        rows = [[s.predictor, s.mean_spearman, s.lowest, s.highest] for s in board.standings]
        table = (("predictor", "spearman", "lowest", "highest"), rows)
        log_tables(loggers, {"leaderboard": table})
    log_artifact(loggers, folder / "report.html", "report", "report")


def _log_condition(loggers: Sequence[Logger], condition: Condition, prefix: str) -> None:
    rows = _rows(condition)
    log_tables(loggers, {f"{prefix}curves": (COLUMNS, rows)})
    cui = [row for row in rows if row[2] == "cui"]
    title = "accuracy after splitting and retraining"
    log_scatter(
        loggers, f"{prefix}cui_rank_accuracy", COLUMNS, _measured(cui), "rank", "accuracy", title
    )
    log_line(loggers, f"{prefix}cui_curve", COLUMNS, cui, "index", "value", "CUI")
    log_line(
        loggers, f"{prefix}accuracy_curve", COLUMNS, _measured(cui), "index", "accuracy", title
    )
    log_summary(loggers, {prefix + name: value for name, value in _scores(condition).items()})


def _rows(condition: Condition) -> Rows:
    accuracy = {r.position: r.accuracy for r in condition.retrained}
    return [
        [point.index, point.label, name, value, curve.rank(position), accuracy.get(position)]
        for name, curve in condition.curves.items()
        for position, (point, value) in enumerate(zip(curve.points, curve.values, strict=True))
    ]


def _measured(rows: Rows) -> Rows:
    return [row for row in rows if row[-1] is not None]


def _scores(condition: Condition) -> dict[str, Value]:
    """``agreement/<predictor>/<statistic>`` and the verdict; what is not finite is left out."""
    found = condition.agreement
    if found is None:
        return {}
    numbers = {
        f"agreement/{name}/{statistic}": getattr(score, statistic)
        for name, score in found.predictors.items()
        for statistic in ("spearman", "kendall", "pearson", "regret", "regret_top3")
    }
    known: dict[str, Value] = {k: v for k, v in numbers.items() if math.isfinite(v)}
    return known | {"agreement/n": found.n, "agreement/verdict": found.verdict}
