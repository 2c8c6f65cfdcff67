"""What an epoch draws, what is kept of it, and from which one an interrupted training goes on."""

import logging
import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping

from isplit.stages.seeds import derived_seed

log = logging.getLogger(__name__)

BEST = "best.ckpt"  # the best epoch, in the folder of a stage while it trains

History = list[dict[str, float]]
"""A row an epoch: the metrics of the stage by name, and ``epoch``; the first is of before any."""


class SeedEpoch(Callback):
    """Makes what an epoch draws depend on the seed, the stage and the epoch alone."""

    def __init__(self, seed: int, stage: str) -> None:
        self.seed, self.stage = seed, stage

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Seed torch for this epoch (dropout, stochastic depth)."""
        fellow = [trainer.global_rank] if trainer.global_rank else []  # draws for other images
        torch.manual_seed(derived_seed(self.seed, self.stage, trainer.current_epoch, *fellow))


class StopEarly(EarlyStopping):
    """Lightning's, which does not go on where it had stopped before an interruption."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop at once if there is nothing to wait for."""
        trainer.should_stop |= self.wait_count >= self.patience


class EpochHistory(Callback):
    """A row of metrics an epoch, kept in the checkpoint so that a resumed stage has them all.

    The weights of the best epoch so far go to ``best.ckpt`` in ``folder``, wherever that lay when
    the training began. A metric that is not finite ends the training before its epoch is kept.
    """

    def __init__(self, monitor: str, mode: str, folder: Path) -> None:
        self.rows: History = []
        self.monitor, self.mode, self.folder = monitor, mode, folder

    def begin(self, metrics: Mapping[str, float]) -> None:
        """Keep the metrics from before the first step, but for those that are not finite."""
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        self.rows.append({"epoch": -1, **finite})

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keep this epoch's metrics.

        Raises:
            ValueError: one of them is not finite.
        """
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        for name, value in metrics.items():
            if not math.isfinite(value):
                stage = name.partition("/")[0]
                raise ValueError(
                    f"{name} is {value} in epoch {trainer.current_epoch + 1} of "
                    f"{trainer.max_epochs}: a lower stage.{stage}.learning_rate, or "
                    f"stage.{stage}.gradient_clip=1.0, may keep the training finite"
                )
        self.rows.append({"epoch": trainer.current_epoch, **metrics})
        if best_of(self.rows[1:], self.monitor, self.mode) is self.rows[-1]:
            trainer.save_checkpoint(self.folder / BEST, weights_only=True)

    def state_dict(self) -> dict[str, Any]:
        """The rows, for the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The rows of a checkpoint."""
        self.rows = list(state_dict["rows"])


def best_of(rows: History, monitor: str, mode: str) -> dict[str, float]:
    """The row of the highest (``max``) or lowest value of ``monitor``; of equal ones the first."""
    sign = 1 if mode == "max" else -1
    return max(rows, key=lambda row: sign * row[monitor] if monitor in row else -math.inf)


def last_checkpoint(stage: str, folder: Path, epochs: int) -> Path | None:
    """The checkpoint to go on from, if there is a readable one."""
    path = folder / "last.ckpt"
    if not path.exists():
        return None
    try:
        epoch = torch.load(path, map_location="cpu", weights_only=True)["epoch"]
    except (OSError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
        log.warning("%s: begins anew, its checkpoint cannot be read: %s", stage, error)
        path.unlink(missing_ok=True)  # all processes of a team find it so
        return None
    log.info("%s: goes on after epoch %d of %d", stage, epoch + 1, epochs)
    return path
