"""What the loggers are told of findings: numbers go to all of them, tables and files to W&B."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.loggers import Logger, WandbLogger

from isplit.report.findings import Findings, Value
from isplit.report.table import Table
from isplit.tracking.loggers import unbothered

if TYPE_CHECKING:
    import wandb


def log_findings(
    loggers: Sequence[Logger], found: Findings, report: Path | None = None, prefix: str = ""
) -> None:
    """Tell the numbers, tables and charts of findings and of their parts; the report as artifact.

    The names of a part begin with its slug.
    """
    log_summary(loggers, {prefix + name: value for name, value in found.numbers.items()})
    for run in _runs(loggers):
        unbothered(log_tables)(run, found, report, prefix)
    for part in found.parts:
        log_findings(loggers, part, prefix=f"{prefix}{part.slug}/")


def log_tables(run: "wandb.Run", found: Findings, report: Path | None, prefix: str) -> None:
    """Tell W&B the tables and charts of findings, and the report as an artifact."""
    from wandb import Artifact, plot

    kinds: dict[str, Callable[..., Any]] = {"line": plot.line, "scatter": plot.scatter}
    tables = {prefix + name: _logged(table) for name, table in found.logged.items()}
    charts = {
        prefix + name: kinds[c.kind](_logged(c.table), x=c.x, y=c.y, title=c.title)
        for name, c in found.charts.items()
    }
    if tables or charts:
        run.log(tables | charts)
    if report is not None:
        artifact = Artifact("report", "report")
        artifact.add_file(str(report))
        run.log_artifact(artifact)


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


def _logged(table: Table) -> "wandb.Table":
    """As W&B takes it; each logging needs one of its own."""
    import wandb

    return wandb.Table(columns=[column.key for column in table.columns], data=table.values())


def _runs(loggers: Sequence[Logger]) -> Iterator["wandb.Run"]:
    """The W&B runs among the loggers."""
    return (logger.experiment for logger in loggers if isinstance(logger, WandbLogger))
