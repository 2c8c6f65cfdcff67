"""How a stage trains: optimizer, schedule, loss, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, OneCycleLR

TEMPERATURE = 2.0  # softens answers that are nearly certain
GENTLE, STEEPNESS = 0.25, 1.5  # of the rate for a trained net (docs/recipes.md)

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
        loss: what is made small, one of ``LOSSES`` for a classifier, of ``RECONSTRUCTIONS`` for
            the autoencoder.
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

    def optimize(self, steps: int, *parts: tuple[nn.Module, float]) -> dict[str, Any]:
        """Optimizer and per-step schedule, in the form Lightning takes them.

        Args:
            parts: modules, of which no two share a parameter, and the highest rate of each.

        Raises:
            ValueError: none of them has a parameter that may be trained.
        """
        trained = [([p for p in of.parameters() if p.requires_grad], rate) for of, rate in parts]
        groups: Any = [{"params": part, "lr": rate} for part, rate in trained if part]
        if not groups:
            raise ValueError(
                "nothing can be trained, all parameters have requires_grad=False: "
                "stage.baseline.trains=nothing takes a net as it is"
            )
        optimizer = OPTIMIZERS[self.optimizer](groups, self.learning_rate, self.weight_decay)
        highest: Any = [group["lr"] for group in groups]
        schedule = SCHEDULES[self.schedule](optimizer, highest, steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


@dataclass(frozen=True)
class FineTuning(Recipe):
    """How the split model trains: its bottleneck is new, head and tail are trained already.

    Attributes:
        net_learning_rate: the highest of head and tail; None: as that of the bottleneck; ``auto``:
            a part of that, the larger the more there is to mend.
    """

    net_learning_rate: float | str | None = None

    def mending(self, lost: Callable[[], float]) -> FineTuning:
        """The same with a number in place of ``auto``.

        Args:
            lost: by the bottleneck, of the right answers of the unsplit net, 0..1; asked for
                where it matters.
        """
        if self.net_learning_rate != "auto":
            return self
        part = min(max(GENTLE, STEEPNESS * lost()), 1.0)
        return replace(self, net_learning_rate=part * self.learning_rate)


Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Logits (N, K), labels (N,), logits of the unsplit net (N, K) -> a number."""


def cross_entropy(logits: Tensor, labels: Tensor, teacher: Tensor) -> Tensor:
    """Mean over images of minus the logarithm of the probability of the label."""
    return F.cross_entropy(logits, labels)


def squared_error(logits: Tensor, labels: Tensor, teacher: Tensor) -> Tensor:
    """Mean over images of the squared distance to the one-hot label (I-SPLIT Eq. 4 as printed)."""
    one_hot = F.one_hot(labels, logits.shape[1]).to(logits)
    return (logits - one_hot).square().sum(1).mean()


def distillation(logits: Tensor, labels: Tensor, teacher: Tensor) -> Tensor:
    """Divergence from the answers of the unsplit net; the labels do not matter."""
    return divergence(logits, teacher)


def cross_entropy_and_distillation(logits: Tensor, labels: Tensor, teacher: Tensor) -> Tensor:
    """The sum of both."""
    return F.cross_entropy(logits, labels) + divergence(logits, teacher)


def divergence(logits: Tensor, teacher: Tensor) -> Tensor:
    """KL( softmax(teacher) || softmax(logits) ) at ``TEMPERATURE``, mean over the images.

    Times the squared temperature, so that its gradient keeps its size (Hinton, Vinyals and Dean
    2015, section 2).
    """
    p, q = ((x / TEMPERATURE).log_softmax(1) for x in (teacher, logits))
    return TEMPERATURE**2 * F.kl_div(q, p, reduction="batchmean", log_target=True)


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "mse": squared_error,
    "distill": distillation,
    "both": cross_entropy_and_distillation,
}
"""Of a classifier; the unsplit net itself has no teacher, so its losses are the first two."""

TAUGHT = ("distill", "both")
"""Losses that need the answers of the unsplit net."""

RECONSTRUCTIONS = ("mse", "distill")
"""Of the autoencoder: Eq. 3 alone, or with the divergence of the answers added."""
