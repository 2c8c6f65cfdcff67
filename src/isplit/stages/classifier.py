"""The Lightning module of the two stages that train a classifier: baseline and finetune."""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from isplit.stages.fit import Stage
from isplit.stages.recipe import LOSSES, Recipe


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
        trainable = [p for p in self.net.parameters() if p.requires_grad]
        return self.recipe.optimize(trainable, int(self.trainer.estimated_stepping_batches))
