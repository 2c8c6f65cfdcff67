"""What the loggers are told: single numbers go to all of them, tables, charts and files to W&B."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import Logger, WandbLogger
from wandb.plot.custom_chart import CustomChart

from isplit.types import SplitResult

Value = str | int | float
Draw = Callable[[wandb.Table], CustomChart]
"""One of ``wandb.plot``, with its columns and title."""

SECTIONS = ("split", "curve", "bottleneck", "accuracy", "cost")


@dataclass(frozen=True)
class Table:
    """A column holds numbers or strings, not both; ``None`` where there is nothing."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def logged(self) -> wandb.Table:
        """As W&B takes it; each logging needs one of its own."""
        return wandb.Table(columns=list(self.columns), data=[list(row) for row in self.rows])


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


def log_tables(loggers: Sequence[Logger], tables: Mapping[str, Table]) -> None:
    """Tell W&B tables by name."""
    for run in _runs(loggers):
        run.log({name: table.logged() for name, table in tables.items()})


def log_charts(loggers: Sequence[Logger], charts: Mapping[str, tuple[Table, Draw]]) -> None:
    """Tell W&B charts by name, each with the table that its dots show on hovering."""
    for run in _runs(loggers):
        run.log({name: draw(table.logged()) for name, (table, draw) in charts.items()})


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
