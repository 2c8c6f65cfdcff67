"""What is said on the screen at the end of a job, and kept as text."""

from __future__ import annotations

import math
import sys

from rich.console import Console
from rich.table import Table

from isplit.analysis.findings import Agreement, Condition, Interval, Leaderboard

FILE_WIDTH = 120  # characters of a table that goes to a file


def said(*lines: object) -> str:
    """Tables and sentences on the screen; what was printed, as text."""
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH, record=True)
    for line in lines:
        console.print(line, highlight=False)
    return console.export_text()


def agreement_table(condition: Condition, found: Agreement) -> Table:
    """Every predictor of a condition against the measured accuracy, the best first."""
    table = Table(
        title=condition.name,
        caption=f"N={found.n} split points retrained; rho is Spearman's, with a 95 % interval\n"
        "regret: accuracy lost by its first choice, and by the best of its first three",
    )
    _columns(table, "predictor", ("rho", "interval", "tau", "picks", "regret", "of three"))
    order = sorted(found.predictors.items(), key=lambda item: -_or_least(item[1].spearman))
    for name, score in order:
        table.add_row(
            name,
            _signed(score.spearman),
            _interval(score.spearman_ci95),
            _signed(score.kendall),
            score.pick,
            f"{score.regret:.3f}",
            f"{score.regret_top3:.3f}",
        )
    return table


def leaderboard_table(board: Leaderboard) -> Table:
    """Every predictor over all conditions, the best first."""
    ceiling = "" if board.ceiling is None else f"; noise ceiling {board.ceiling:.2f}"
    table = Table(
        title=f"predictors over {len(board.conditions)} conditions",
        caption=f"rho: mean over the conditions of Spearman's with the measured accuracy{ceiling}",
    )
    _columns(table, "predictor", ("rho", "interval", "lowest", "highest", "beats cui", "regret"))
    for one in board.standings:
        table.add_row(
            one.predictor,
            _signed(one.mean_spearman),
            _interval(one.mean_spearman_ci95),
            _signed(one.lowest),
            _signed(one.highest),
            f"{one.beats_cui} of {one.against_cui}",
            f"{one.mean_regret:.3f}",
        )
    return table


def _columns(table: Table, first: str, others: tuple[str, ...]) -> None:
    table.add_column(first)
    for other in others:
        table.add_column(other, justify="right")


def _signed(value: float) -> str:
    return f"{value:+.2f}" if math.isfinite(value) else "-"


def _interval(interval: Interval) -> str:
    return f"[{_signed(interval[0])}, {_signed(interval[1])}]"


def _or_least(value: float) -> float:
    return value if math.isfinite(value) else -math.inf
