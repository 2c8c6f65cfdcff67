"""How a stage trains: optimizer, schedule, loss, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, OneCycleLR

Parameters = Iterable[nn.Parameter]

OPTIMIZERS: dict[str, Callable[[Parameters, float, float], Optimizer]] = {
    "adamw": lambda p, lr, decay: torch.optim.AdamW(p, lr, weight_decay=decay),
    "adam": lambda p, lr, decay: torch.optim.Adam(p, lr, weight_decay=decay),
    "sgd": lambda p, lr, decay: torch.optim.SGD(
        p, lr, momentum=0.9, nesterov=True, weight_decay=decay
    ),
}
SCHEDULES: dict[str, Callable[[Optimizer, float, int], LRScheduler]] = {
    "onecycle": lambda o, lr, steps: OneCycleLR(o, lr, total_steps=steps),
    "cosine": lambda o, lr, steps: CosineAnnealingLR(o, steps),
    "constant": lambda o, lr, steps: ConstantLR(o, 1.0, steps),
}


@dataclass(frozen=True)
class Recipe:
    """How a stage trains; every field can change its result.

    Attributes:
        epochs: passes over the training images; 0 leaves the stage as it begins.
        patience: epochs without a better validation value after which it stops; None: never.
        images: size of a fixed, class-balanced subset to train on; None: all.
        loss: of a classifier stage, ``cross_entropy`` or ``mse`` (I-SPLIT Eq. 4 as printed).
    """

    epochs: int
    learning_rate: float
    batch_size: int = 64
    optimizer: str = "adamw"
    weight_decay: float = 0.01
    schedule: str = "onecycle"
    loss: str = "cross_entropy"
    patience: int | None = None
    images: int | None = None
    gradient_clip: float | None = None

    def optimize(self, parameters: Parameters, steps: int) -> dict[str, Any]:
        """Optimizer and per-step schedule, in the form Lightning takes them."""
        optimizer = OPTIMIZERS[self.optimizer](parameters, self.learning_rate, self.weight_decay)
        schedule = SCHEDULES[self.schedule](optimizer, self.learning_rate, steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over images of the squared distance to the one-hot label (I-SPLIT Eq. 4 as printed)."""
    one_hot = nn.functional.one_hot(labels, logits.shape[1]).to(logits)
    return (logits - one_hot).square().sum(1).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": nn.functional.cross_entropy,
    "mse": squared_error,
}
