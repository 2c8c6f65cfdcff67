"""The Lightning module that trains the bottleneck alone on the features of the frozen head."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import SumMetric

from isplit.stages.fit import Stage
from isplit.stages.recipe import Recipe


class Autoencoder(Stage):
    """Trains a bottleneck to give back its input (I-SPLIT Eq. 3); the head stays as it is.

    Batches are images where ``head`` is given, else features that were computed before. The head
    is in evaluation mode and receives no gradients, so neither its weights nor its BatchNorm
    statistics move. The best epoch is the one of least NMSE, the squared error of the validation
    features over their squared norm.
    """

    name = "autoencoder"
    monitor = "autoencoder/val_nmse"
    mode = "min"

    def __init__(self, bottleneck: nn.Module, recipe: Recipe, head: nn.Module | None) -> None:
        super().__init__()
        self.recipe = recipe
        self.bottleneck = bottleneck
        self._head = (head.eval(),) if head is not None else ()  # a tuple: no part of this module
        self.error = SumMetric(nan_strategy="disable")  # others leave NaN out of the sum
        self.energy = SumMetric(nan_strategy="disable")

    def features(self, batch: Tensor) -> Tensor:
        """Features of a batch of images, or the batch itself where it holds features already."""
        with torch.no_grad():
            for head in self._head:
                batch = head(batch)
        return batch

    def on_fit_start(self) -> None:
        """Bring the head to the device of the bottleneck."""
        for head in self._head:
            head.to(self.device)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        """Mean squared error between features and their reconstruction."""
        features = self.features(batch[0])
        loss = nn.functional.mse_loss(self.bottleneck(features), features)
        self.log_loss(loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> None:
        """Add up squared error and squared norm."""
        features = self.features(batch[0])
        self.error.update((self.bottleneck(features) - features).square().sum())
        self.energy.update(features.square().sum())

    def on_validation_epoch_end(self) -> None:
        """NMSE of the epoch."""
        self.log(self.monitor, self.error.compute() / self.energy.compute(), prog_bar=True)
        self.error.reset()
        self.energy.reset()

    def configure_optimizers(self) -> Any:
        """The recipe's optimizer over the bottleneck."""
        steps = int(self.trainer.estimated_stepping_batches)
        return self.recipe.optimize(self.bottleneck.parameters(), steps)
