"""Training one stage with Lightning so that it can be killed at any moment and go on unchanged.

Whatever is random in an epoch depends on (seed, stage, epoch, sample) alone, and a checkpoint is
written at the end of each epoch: a resumed stage ends with the same bits as an undisturbed one.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.environments import SLURMEnvironment  # type: ignore[attr-defined]
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, ProgressBar
from lightning.pytorch.loggers import Logger
from torch import Tensor, nn
from torch.utils.data import DataLoader

from isplit.stages.batch_norm import with_shared_batch_norm
from isplit.stages.epochs import (
    BEST,
    EpochHistory,
    History,
    SeedEpoch,
    StopEarly,
    best_of,
    last_checkpoint,
)
from isplit.stages.preemption import StopBetweenSteps
from isplit.stages.recipe import Recipe
from isplit.stages.team import Team, quiet


@dataclass(frozen=True)
class Engine:
    """What a stage runs on and who watches; only ``precision`` may change results.

    Several devices share every batch between them and come to the same but for rounding.

    Attributes:
        accelerator: Lightning's name of the device kind, ``auto`` picks CUDA, MPS or CPU.
        precision: Lightning's name; stay with ``32-true`` on CPUs.
        team: the processes that take part; more than one where there are several devices.
        callbacks: makes the callbacks of one training (progress bars).
    """

    accelerator: str = "auto"
    devices: int | str = 1
    strategy: str = "auto"
    num_nodes: int = 1
    precision: str = "32-true"
    loggers: tuple[Logger, ...] = ()
    callbacks: Callable[[str], list[Callback]] = field(default=lambda stage: [])
    team: Team = field(default_factory=Team)

    @property
    def device(self) -> torch.device:
        """The one device for everything that is no training."""
        if self.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        if self.accelerator in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")


class Stage(L.LightningModule):
    """A stage by its name and the validation value by which its best epoch is chosen."""

    name: str
    monitor: str
    mode: str
    recipe: Recipe
    _frozen: tuple[nn.Module, ...] = ()  # a tuple: no parts of this module

    def on_fit_start(self) -> None:
        """Bring what is frozen to the device of the rest."""
        for module in self._frozen:
            module.to(self.device)

    def on_validation_start(self) -> None:
        """The same: the first validation comes before any fitting."""
        self.on_fit_start()

    def log_loss(self, loss: Tensor) -> None:
        """Have the mean over the epoch and all processes in the history."""
        name = f"{self.name}/train_loss"
        self.log(name, loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True)


Batches = DataLoader[Any]


def fit(
    stage: Stage, train: Batches, validation: Batches, folder: Path, engine: Engine, seed: int
) -> History:
    """Train a stage; it ends with the best weights by validation: of an epoch, or from before.

    The first row of the history, epoch -1, is the validation before the first step.

    Args:
        folder: keeps ``last.ckpt`` and ``best.ckpt``; with those of an interrupted training in it,
            this one goes on after the last whole epoch.
        seed: of everything random in the epochs.

    Raises:
        Preempted: the machine is wanted back.
        ValueError: a loss or a metric is not finite.
    """
    if stage.recipe.epochs == 0:
        return []
    trained = with_shared_batch_norm(stage) if engine.team.size > 1 else stage
    history = EpochHistory(stage.monitor, stage.mode, folder)
    with quiet():
        trainer = _trainer(stage, history, folder, engine, seed)
        before = copy.deepcopy(stage.state_dict())
        checkpoint = last_checkpoint(stage.name, folder, stage.recipe.epochs)
        if checkpoint is None:
            (metrics,) = trainer.validate(trained, validation, verbose=False)
            history.begin(metrics)
        trainer.fit(trained, train, validation, ckpt_path=checkpoint, weights_only=True)
    best = torch.load(folder / BEST, map_location="cpu", weights_only=True)
    helped = best_of(history.rows, stage.monitor, stage.mode) is not history.rows[0]
    stage.load_state_dict(best["state_dict"] if helped else before)
    stage.cpu()
    return history.rows


def _trainer(
    stage: Stage, history: EpochHistory, folder: Path, engine: Engine, seed: int
) -> L.Trainer:
    last = ModelCheckpoint(
        folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False
    )
    callbacks = [SeedEpoch(seed, stage.name), history, last, StopBetweenSteps()]
    callbacks += engine.callbacks(stage.name)
    if stage.recipe.patience is not None:
        callbacks += [StopEarly(stage.monitor, patience=stage.recipe.patience, mode=stage.mode)]
    return L.Trainer(
        accelerator=engine.accelerator,
        devices=engine.devices,
        strategy=engine.strategy,
        num_nodes=engine.num_nodes,
        precision=engine.precision,  # type: ignore[arg-type]
        plugins=_on_slurm(),
        max_epochs=stage.recipe.epochs,
        gradient_clip_val=stage.recipe.gradient_clip,
        logger=list(engine.loggers) or False,
        callbacks=callbacks,
        default_root_dir=folder,
        num_sanity_val_steps=0,
        inference_mode=False,  # metrics of the first validation go on in training
        log_every_n_steps=1,
        use_distributed_sampler=False,
        deterministic="warn" if engine.device.type == "cuda" else None,
        enable_progress_bar=any(isinstance(c, ProgressBar) for c in callbacks),
        enable_model_summary=False,
    )


def _on_slurm() -> list[Any]:
    """Lightning's way with SLURM, except that submitit or the batch script queues a job again.

    Lightning would do so from a checkpoint in the middle of an epoch, which does not go on with
    the same bits.
    """
    return [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []
