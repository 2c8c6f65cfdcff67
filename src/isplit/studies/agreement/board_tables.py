"""The predictors over all conditions as tables: for people, and as ``leaderboard.csv``."""

import math
from dataclasses import asdict
from typing import Any

from isplit.report.table import Column, Estimate, Table
from isplit.studies.scores import Leaderboard

STANDINGS = (
    Column("predictor", fold=24, screen=1),
    Column("conditions"),
    Column("trains"),
    Column("mean_spearman", "mean rho [95\N{NO-BREAK SPACE}%]", form="+.2f", screen=2),
    Column("lowest", form="+.2f", screen=6),
    Column("highest", form="+.2f", screen=7),
    Column("beats", "beats cui", form=lambda of: f"{of[0]} of {of[1]}", screen=5),
    Column("rule", "auto takes its"),
    Column("mean_regret", "auto loses", "points", ".1f", 100, screen=3),
    Column("worst_regret", "at worst", "points", ".1f", 100),
    Column("half_mean_spearman", "half: rho [95\N{NO-BREAK SPACE}%]", form="+.2f", screen=4),
    Column("half_mean_regret", "half: auto loses", "points", ".1f", 100),
    Column("half_worst_regret", "half: at worst", "points", ".1f", 100),
)


def standings_table(board: Leaderboard) -> Table:
    """A row for each predictor, the best first: its rank correlation over and in the conditions."""
    short = [f"C{k}" for k in range(1, len(board.conditions) + 1)]
    ceiling = "" if board.ceiling is None else f" Noise ceiling: {board.ceiling:.2f}."
    families = dict.fromkeys(family for s in board.standings for family in s.families)
    rows = []
    for standing in board.standings:
        row = asdict(standing) | dict(zip(short, board.spearman[standing.predictor], strict=True))
        row |= row.pop("families")
        for name in ("mean_spearman", "half_mean_spearman"):
            row[name] = Estimate(row[name], *row[f"{name}_ci95"])
        rows.append(row | {"beats": (standing.beats_cui, standing.against_cui)})
    return Table(
        f"Predictors over {len(board.conditions)} conditions",
        (*STANDINGS, *(Column(name, form=".2f") for name in (*families, *short))),
        rows,
        "rho: Spearman's rank correlation with the measured accuracy, mean over the conditions; "
        "the interval draws all of a net and data set together. auto loses: against the best "
        "point. half: among the points with at most half of the multiply-accumulates on the "
        f"device. Then by families of nets.{ceiling} C1, C2 ...: in each condition, as named under "
        "Where to cut.",
        on_screen=True,
    )


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
            row | dict(zip(board.conditions, board.spearman[row["predictor"]], strict=True))
        )
    return Table.of_rows("leaderboard", rows)


def tracked_rows(board: Leaderboard) -> Table:
    """For trackers: mean and range of each predictor that has a rank correlation."""
    rows = [
        {"predictor": s.predictor, "spearman": s.mean_spearman}
        | {"lowest": s.lowest, "highest": s.highest}
        for s in board.standings
        if not math.isnan(s.mean_spearman)
    ]
    return Table.of_rows("leaderboard", rows)
