"""What the loggers are told: single numbers go to all of them, tables, charts and files to W&B."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import Logger, WandbLogger

from isplit.types import SplitResult

Value = str | int | float
Rows = Sequence[Sequence[Any]]
"""The rows of a table; a column holds numbers or strings, not both; None where there is nothing."""

SECTIONS = ("split", "curve", "bottleneck", "accuracy", "cost")


def log_result(loggers: Sequence[Logger], result: SplitResult, prefix: str = "") -> None:
    """Tell every logger the numbers of a result, by flat names (``accuracy/after_finetune``)."""
    log_summary(loggers, {prefix + name: value for name, value in flat_result(result).items()})


def flat_result(result: SplitResult) -> dict[str, Value]:
    """A result's single values by ``section/name``; lists are left to ``result.json``.

    The curve's value and rank stand there under its kind too (``curve/cui``, ``curve/cui_rank``),
    so that runs ranked by different predictors share a table.
    """
    flat: dict[str, Value] = {
        f"{section}/{name}": value
        for section in SECTIONS
        for name, value in asdict(getattr(result, section)).items()
        if isinstance(value, Value)
    }
    kind = f"curve/{result.curve.kind}"
    names: dict[str, Value] = {"model": result.model, "data": result.data, "seed": result.seed}
    return names | flat | {kind: result.curve.value, f"{kind}_rank": result.curve.rank}


def log_summary(loggers: Sequence[Logger], flat: Mapping[str, Value]) -> None:
    """Tell every logger the numbers; the strings besides are in W&B's summary of the run."""
    numbers = {name: float(v) for name, v in flat.items() if isinstance(v, int | float)}
    for logger in loggers:
        logger.log_metrics(numbers)
        logger.save()
    for run in _runs(loggers):
        run.summary.update(dict(flat))


def log_tables(loggers: Sequence[Logger], tables: Mapping[str, tuple[Sequence[str], Rows]]) -> None:
    """Tell W&B tables, each (columns, rows), by name."""
    for run in _runs(loggers):
        run.log({name: _table(columns, rows) for name, (columns, rows) in tables.items()})


def log_scatter(
    loggers: Sequence[Logger],
    name: str,
    columns: Sequence[str],
    rows: Rows,
    x: str,
    y: str,
    title: str,
) -> None:
    """Tell W&B a scatter of two columns of a table, which the chart's dots show on hovering."""
    for run in _runs(loggers):
        run.log({name: wandb.plot.scatter(_table(columns, rows), x, y, title)})


def log_line(
    loggers: Sequence[Logger],
    name: str,
    columns: Sequence[str],
    rows: Rows,
    x: str,
    y: str,
    title: str,
    series: str | None = None,
) -> None:
    """Tell W&B a line of column ``y`` over ``x``; a line for each value of column ``series``."""
    for run in _runs(loggers):
        run.log({name: wandb.plot.line(_table(columns, rows), x, y, series, title)})


def log_artifact(loggers: Sequence[Logger], path: Path, name: str, type: str) -> None:
    """Give W&B a file, or a folder with all in it, as an artifact that the run made.

    Raises:
        FileNotFoundError: nothing is at ``path``.
    """
    if not path.exists():
        raise FileNotFoundError(f"the artifact {name!r} has no file: {path} is not there")
    for run in _runs(loggers):
        artifact = wandb.Artifact(name, type)
        if path.is_dir():
            artifact.add_dir(str(path))
        else:
            artifact.add_file(str(path))
        run.log_artifact(artifact)


def _runs(loggers: Sequence[Logger]) -> Iterator[wandb.Run]:
    """The W&B runs among the loggers."""
    return (logger.experiment for logger in loggers if isinstance(logger, WandbLogger))


def _table(columns: Sequence[str], rows: Rows) -> wandb.Table:
    return wandb.Table(columns=list(columns), data=[list(row) for row in rows])
