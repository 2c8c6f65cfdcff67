"""What is told of a job: a training's progress on the screen, findings to the loggers.

Numbers go to all loggers, tables and files to W&B.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import lightning as L
import wandb
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.loggers import Logger, WandbLogger
from wandb.plot import line, scatter
from wandb.plot.custom_chart import CustomChart

from isplit.report.findings import Findings, Value
from isplit.report.table import Table
from isplit.tracking.run import unbothered

log = logging.getLogger(__name__)
CHARTS: dict[str, Callable[..., CustomChart]] = {"line": line, "scatter": scatter}


def progress_callbacks(progress: str) -> list[Callback]:
    """What shows a training's progress: a Rich bar on a terminal, a line an epoch elsewhere.

    Args:
        progress: ``auto``, ``bar``, ``lines`` or ``none``.
    """
    if progress == "auto":
        progress = "bar" if sys.stderr.isatty() and sys.stdout.isatty() else "lines"
    kinds: dict[str, list[type[Callback]]] = {
        "bar": [StageBar],
        "lines": [EpochLines],
        "none": [],
    }
    return [kind() for kind in kinds[progress]]


class StageBar(RichProgressBar):
    """A bar that says the stage and counts its epochs from 1."""

    def _get_train_description(self, current_epoch: int) -> str:
        module = self.trainer.lightning_module
        stage = getattr(module, "name", "training")
        return f"{stage}: epoch {current_epoch + 1}/{self.trainer.max_epochs}"


class EpochLines(Callback):
    """One line an epoch, for logs that are read later."""

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Print the epoch's metrics."""
        metrics = sorted((k.split("/")[-1], float(v)) for k, v in trainer.callback_metrics.items())
        stage = getattr(pl_module, "name", "training")
        values = "  ".join(f"{name} {value:.4f}" for name, value in metrics)
        log.info(
            "%s: epoch %d/%d  %s", stage, trainer.current_epoch + 1, trainer.max_epochs, values
        )


def log_findings(
    loggers: Sequence[Logger], found: Findings, report: Path | None = None, prefix: str = ""
) -> None:
    """Tell the numbers, tables and charts of findings and of their parts; the report as artifact.

    The names of a part begin with its slug.
    """
    log_summary(loggers, {prefix + name: value for name, value in found.numbers.items()})
    for run in _runs(loggers):
        tables = {prefix + name: _logged(table) for name, table in found.logged.items()}
        charts = {
            prefix + name: CHARTS[c.kind](_logged(c.table), x=c.x, y=c.y, title=c.title)
            for name, c in found.charts.items()
        }
        if tables or charts:
            unbothered(run.log)(tables | charts)
    for part in found.parts:
        log_findings(loggers, part, prefix=f"{prefix}{part.slug}/")
    if report is not None:
        log_artifact(loggers, report, "report", "report")


def log_summary(loggers: Sequence[Logger], flat: Mapping[str, Value]) -> None:
    """Tell every logger the numbers; the strings besides are in W&B's summary of the run."""
    if not flat:
        return
    numbers = {name: float(v) for name, v in flat.items() if isinstance(v, int | float)}
    for logger in loggers:
        logger.log_metrics(numbers)
        logger.save()
    for run in _runs(loggers):
        unbothered(run.summary.update)(dict(flat))


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
        unbothered(run.log_artifact)(artifact)


def _logged(table: Table) -> wandb.Table:
    """As W&B takes it; each logging needs one of its own."""
    return wandb.Table(columns=[column.key for column in table.columns], data=table.values())


def _runs(loggers: Sequence[Logger]) -> Iterator[wandb.Run]:
    """The W&B runs among the loggers."""
    return (logger.experiment for logger in loggers if isinstance(logger, WandbLogger))
