"""What shows a training's progress: a bar on a terminal, lines in a log."""

import logging
import sys

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
