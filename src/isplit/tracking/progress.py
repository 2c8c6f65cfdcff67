"""What shows a training's progress: a bar on a terminal, lines in a log."""

import logging
import sys
import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, RichProgressBar

log = logging.getLogger(__name__)


def progress_callbacks(progress: str) -> list[Callback]:
    """What shows a training's progress: a Rich bar on a terminal, a line an epoch elsewhere.

    Args:
        progress: ``auto``, ``bar``, ``lines`` or ``none``.
    """
    if progress == "auto":
        progress = "bar" if sys.stderr.isatty() and sys.stdout.isatty() else "lines"
    kinds: dict[str, type[Callback]] = {"bar": StageBar, "lines": EpochLines}
    return [] if progress == "none" else [kinds[progress](), Estimate()]


class StageBar(RichProgressBar):
    """A bar that says the stage and counts its epochs from 1."""

    def _get_train_description(self, current_epoch: int) -> str:
        module = self.trainer.lightning_module
        stage = getattr(module, "name", "training")
        return f"{stage}: epoch {current_epoch + 1}/{self.trainer.max_epochs}"


class Estimate(Callback):
    """One line for a stage that takes minutes: how many, by its first steps."""

    STEPS = 10  # looked at, after the first, which is slower

    def __init__(self) -> None:
        self.steps, self.begin_s = 0, 0.0

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Count the steps of this process, and say it after the last one that is looked at."""
        self.steps += 1
        if self.steps == 1:
            self.begin_s = time.monotonic()
        if self.steps == 1 + self.STEPS:
            step_s = (time.monotonic() - self.begin_s) / self.STEPS
            ahead = int(trainer.estimated_stepping_batches) - trainer.global_step
            if (minutes := step_s * ahead / 60) > 1:
                stage = getattr(pl_module, "name", "training")
                log.info("%s: about %.0f minutes of training ahead", stage, minutes)


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
