"""Who is told what a job does: W&B by default, any Lightning logger besides, progress on screen."""

from __future__ import annotations

import logging
import netrc
import os
import sys
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning as L
import wandb
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.loggers import Logger, WandbLogger

from isplit.types import SplitResult

log = logging.getLogger(__name__)

MODES = ("auto", "online", "offline", "disabled")


def wandb_mode(mode: str) -> str:
    """``online``, ``offline`` or ``disabled``; ``auto`` is online if a key is configured.

    ``auto`` obeys the environment variable WANDB_MODE first. It never asks for a key.

    Raises:
        ValueError: unknown mode.
    """
    if mode not in MODES:
        raise ValueError(f"logger.mode={mode!r} is none of {', '.join(MODES)}")
    if mode != "auto":
        return mode
    if os.environ.get("WANDB_MODE") in MODES[1:]:
        return os.environ["WANDB_MODE"]
    return "online" if _has_key() else "offline"


@contextmanager
def wandb_run(
    mode: str,
    folder: Path,
    config: Mapping[str, Any],
    *,
    project: str = "isplit",
    name: str | None = None,
    group: str | None = None,
    tags: Iterable[str] = (),
) -> Iterator[list[Logger]]:
    """The logger of a W&B run, online or in ``folder``; none where W&B is disabled.

    The run ends with the block, as failed when the block raises.
    """
    mode = wandb_mode(mode)
    if mode == "disabled":
        yield []
        return
    run = wandb.init(
        mode=mode,  # type: ignore[arg-type]
        dir=folder,
        config=dict(config),
        project=project,
        name=name,
        group=group,
        tags=list(tags),
        job_type="train",
        settings=wandb.Settings(silent=True, console="off"),
    )
    log.info("tracking: W&B %s, project %s", mode, project)
    exit_code = 1
    try:
        yield [WandbLogger(experiment=run, save_dir=folder)]
        exit_code = 0
    finally:
        run.finish(exit_code)


def log_result(loggers: Iterable[Logger], result: SplitResult, prefix: str = "") -> None:
    """Tell every logger the numbers of a result, by flat names (``accuracy/after_finetune``)."""
    flat = {prefix + name: value for name, value in flat_result(result).items()}
    numbers = {k: float(v) for k, v in flat.items() if isinstance(v, int | float)}
    for logger in loggers:
        logger.log_metrics(numbers)
        logger.save()
        if isinstance(logger, WandbLogger):
            logger.experiment.summary.update(flat)


def flat_result(result: SplitResult) -> dict[str, str | int | float]:
    """A result's single values by ``section/name``; lists are left to ``result.json``."""
    flat: dict[str, str | int | float] = {}
    for section in ("split", "curve", "bottleneck", "accuracy", "cost"):
        for name, value in asdict(getattr(result, section)).items():
            if isinstance(value, str | int | float):
                flat[f"{section}/{name}"] = value
    return flat


def progress_callbacks(progress: str) -> list[Callback]:
    """What shows a training's progress: a Rich bar on a terminal, a line an epoch elsewhere.

    Args:
        progress: ``auto``, ``bar``, ``lines`` or ``none``.

    Raises:
        ValueError: unknown kind of progress.
    """
    if progress == "auto":
        progress = "bar" if sys.stderr.isatty() and sys.stdout.isatty() else "lines"
    kinds: dict[str, type[Callback] | None] = {
        "bar": RichProgressBar,
        "lines": EpochLines,
        "none": None,
    }
    if progress not in kinds:
        raise ValueError(f"trainer.progress={progress!r} is none of auto, {', '.join(kinds)}")
    kind = kinds[progress]
    return [kind()] if kind is not None else []


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


def _has_key() -> bool:
    """Whether W&B would find a key without asking: in the environment or in the netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urllib.parse.urlparse(wandb.Settings().base_url).hostname or ""
    path = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    try:
        return netrc.netrc(path).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
