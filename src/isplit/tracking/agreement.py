"""What W&B is told of an analysis: curves and scatters as tables and charts, the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from wandb.plot import line, scatter

from isplit.analysis.findings import Condition, Leaderboard
from isplit.tracking.results import (
    Draw,
    Table,
    Value,
    log_artifact,
    log_charts,
    log_summary,
    log_tables,
)

COLUMNS = ("index", "layer", "predictor", "value", "rank", "accuracy")
STANDINGS = ("predictor", "spearman", "lowest", "highest")


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
        log_tables(loggers, {"leaderboard": Table(STANDINGS, rows)})
    log_artifact(loggers, folder / "report.html", "report", "report")


def _log_condition(loggers: Sequence[Logger], condition: Condition, prefix: str) -> None:
    rows = _rows(condition)
    cui = [row for row in rows if row[2] == "cui"]
    curve = Table(COLUMNS, cui)
    measured = Table(COLUMNS, [row for row in cui if row[-1] is not None])
    title = "accuracy after splitting and retraining"
    charts: dict[str, tuple[Table, Draw]] = {
        "cui_rank_accuracy": (measured, partial(scatter, x="rank", y="accuracy", title=title)),
        "cui_curve": (curve, partial(line, x="index", y="value", title="CUI")),
        "accuracy_curve": (measured, partial(line, x="index", y="accuracy", title=title)),
    }
    log_tables(loggers, {f"{prefix}curves": Table(COLUMNS, rows)})
    log_charts(loggers, {prefix + name: chart for name, chart in charts.items()})
    log_summary(loggers, {prefix + name: value for name, value in _scores(condition).items()})


def _rows(condition: Condition) -> list[list[Any]]:
    accuracy = {r.position: r.accuracy for r in condition.retrained}
    return [
        [point.index, point.label, name, value, curve.rank(position), accuracy.get(position)]
        for name, curve in condition.curves.items()
        for position, (point, value) in enumerate(zip(curve.points, curve.values, strict=True))
    ]


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
