"""The two Lightning modules: one trains a classifier, the other the bottleneck alone."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import SumMetric
from torchmetrics.classification import MulticlassAccuracy

from isplit.model import SplitModel
from isplit.stages.fit import Stage
from isplit.stages.recipe import LOSSES, FineTuning, Recipe, divergence

NMSE, DIVERGENCE = "autoencoder/val_nmse", "autoencoder/val_divergence"


class Classifier(Stage):
    """Trains all of ``net`` that wants gradients on labelled images.

    The split model's fine-tuning (I-SPLIT Eq. 4) and the unsplit model's training differ only in
    the net; the best epoch is the one of highest validation accuracy. Losses that distil compare
    with the answers of ``teacher``, which stays as it is.
    """

    mode = "max"

    def __init__(
        self,
        name: str,
        net: nn.Module,
        num_classes: int,
        recipe: Recipe,
        teacher: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self._frozen = (teacher.eval(),) if teacher is not None else ()
        self.name = name
        self.monitor = f"{name}/val_accuracy"
        self.recipe = recipe
        self.net = net
        self.loss = LOSSES[recipe.loss]
        self.accuracy = MulticlassAccuracy(num_classes, average="micro")

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        """Loss of a batch of images (N,3,S,S) and labels (N,)."""
        images, labels = batch
        loss = self.loss(self.net(images), labels, self._teaching(images))
        self.log_loss(loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> None:
        """Count a batch's right answers and add up its loss."""
        images, labels = batch
        logits = self.net(images)
        self.accuracy(logits, labels)
        loss = self.loss(logits, labels, self._teaching(images))
        self.log(f"{self.name}/val_loss", loss, batch_size=len(labels))
        self.log(self.monitor, self.accuracy, prog_bar=True, batch_size=len(labels))

    @torch.no_grad()
    def _teaching(self, images: Tensor) -> Tensor:
        """Logits of the teacher; empty without one."""
        for teacher in self._frozen:
            answers: Tensor = teacher(images)
            return answers
        return images.new_empty(0)

    def configure_optimizers(self) -> Any:
        """The recipe's optimizer over what is trainable."""
        steps = int(self.trainer.estimated_stepping_batches)
        return self.recipe.optimize(steps, (self.net, self.recipe.learning_rate))


class Tuner(Classifier):
    """Trains a split model, whose parts may have rates of their own."""

    net: SplitModel
    recipe: FineTuning

    def configure_optimizers(self) -> Any:
        """The recipe's optimizer over what is trainable."""
        steps = int(self.trainer.estimated_stepping_batches)
        net, own = self.net, self.recipe.learning_rate  # a module on both sides counts once
        rest = nn.ModuleList([net.head, net.tail]), float(self.recipe.net_learning_rate or own)
        return self.recipe.optimize(steps, (net.bottleneck, own), rest)


class Autoencoder(Stage):
    """Trains a bottleneck to give back its input (I-SPLIT Eq. 3); head and tail stay as they are.

    Batches are images where ``head`` is given, else features that were computed before. Head and
    tail are in evaluation mode and their weights receive no gradients, so neither these nor their
    BatchNorm statistics move. The loss ``mse`` is Eq. 3. ``distill`` is the NMSE of the batch plus
    the divergence of the tail's answers on the reconstruction from those on the features; it needs
    no labels. NMSE is the squared error of the features over their squared norm. The best epoch is
    the one of least NMSE, for ``distill`` of least divergence on the validation images.
    """

    name = "autoencoder"
    mode = "min"

    def __init__(
        self, bottleneck: nn.Module, recipe: Recipe, head: nn.Module | None, tail: nn.Module
    ) -> None:
        super().__init__()
        self.recipe = recipe
        distils = recipe.loss == "distill"
        self.monitor = DIVERGENCE if distils else NMSE
        self.bottleneck = bottleneck
        self._head = (head.eval(),) if head is not None else ()  # a tuple: no part of this module
        self._tail = (_frozen(tail),) if distils else ()
        self._frozen = (*self._head, *self._tail)
        # other strategies leave NaN out of the sum
        self.error, self.energy = (SumMetric(nan_strategy="disable") for _ in range(2))

    def features(self, batch: Tensor) -> Tensor:
        """Features of a batch of images, or the batch itself where it holds features already.

        They are in the precision of the head, as kept ones are.
        """
        with torch.no_grad(), torch.autocast(batch.device.type, enabled=False):
            for head in self._head:
                batch = head(batch)
        return batch

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        """Mean squared error between features and their reconstruction, or NMSE and divergence."""
        features = self.features(batch[0])
        back = self.bottleneck(features)
        loss = nn.functional.mse_loss(back, features)
        for tail in self._tail:
            loss = loss / features.square().mean() + _divergence(tail, features, back)
        self.log_loss(loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> None:
        """Add up squared error, squared norm and divergence."""
        features = self.features(batch[0])
        back = self.bottleneck(features)
        self.error.update((back - features).square().sum())
        self.energy.update(features.square().sum())
        for tail in self._tail:
            away = _divergence(tail, features, back)
            self.log(DIVERGENCE, away, prog_bar=True, batch_size=len(features))

    def on_validation_epoch_end(self) -> None:
        """NMSE of the epoch.

        Raises:
            ValueError: there is nothing to reconstruct.
        """
        energy = self.energy.compute()
        if energy == 0:
            raise ValueError("the features at this split point are 0 for every validation image")
        self.log(NMSE, self.error.compute() / energy, prog_bar=True)
        self.error.reset()
        self.energy.reset()

    def configure_optimizers(self) -> Any:
        """The recipe's optimizer over the bottleneck."""
        steps = int(self.trainer.estimated_stepping_batches)
        return self.recipe.optimize(steps, (self.bottleneck, self.recipe.learning_rate))


def _frozen(module: nn.Module) -> nn.Module:
    """A copy whose weights need no gradient; those of the module itself are trained later."""
    return copy.deepcopy(module).eval().requires_grad_(False)


def _divergence(tail: nn.Module, features: Tensor, back: Tensor) -> Tensor:
    """Of the tail's answers on what came back from those on the features."""
    with torch.no_grad():
        wanted = tail(features)
    return divergence(tail(back), wanted)
