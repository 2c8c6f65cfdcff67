"""What decides the layers of a backbone."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Self

import torch
from torchvision import models

from isplit.graph.layers import PLANS

BACKBONES = ("vgg16", "resnet18", "resnet50", "resnet152", "mobilenet_v3_small", "torchvision")
RESNETS = ("resnet", "resnext", "wide_resnet")
NARROWED = ("vgg", "resnet", "wide_resnet")
SMALL_STEMS = ("small", "cifar")
SMALL_KERNEL = 3
SMALL_STEM_BELOW_PX = 64


@dataclass(frozen=True)
class Layout:
    """What decides the layers of a backbone; the attributes are those of ``build_backbone``.

    Raises:
        ValueError: an unknown name, or a stem that the architecture does not have.
    """

    name: str
    num_classes: int
    image_size: int
    width: float = 1.0
    batch_norm: bool = True
    stem: str = "auto"
    arch: str | None = None

    def __post_init__(self) -> None:
        if self.width != 1 and not self.architecture.startswith(NARROWED):
            raise ValueError(
                f"model.width={self.width} is for VGG and ResNet, "
                f"{self.architecture} has only width 1"
            )
        if self.stem in SMALL_STEMS and not self.architecture.startswith(RESNETS):
            raise ValueError(
                f"model.stem={self.stem} is for ResNets; {self.architecture} has its own"
            )

    @classmethod
    def of(cls, keys: Mapping[str, Any]) -> Self:
        """Of arguments of ``build_backbone``, those besides left aside."""
        return cls(**{own.name: keys[own.name] for own in fields(cls) if own.name in keys})

    @cached_property
    def architecture(self) -> str:
        """The name torchvision has for it."""
        if self.name not in BACKBONES:
            raise ValueError(
                f"model.name={self.name!r} is none of: {', '.join(BACKBONES)} "
                "(any other classifier of torchvision: model=torchvision model.arch=...)"
            )
        if self.name != "torchvision":
            return f"{self.name}_bn" if self.name in PLANS and self.batch_norm else self.name
        known = models.list_models(module=models)
        if self.arch is None or self.arch not in known:
            closest = get_close_matches(self.arch or "", known, n=5, cutoff=0)
            choices = ", ".join(dict.fromkeys([*closest, *known]))
            raise ValueError(f"model.arch={self.arch!r} is none of torchvision's: {choices}")
        return self.arch

    def stem_for(self, state: Mapping[str, torch.Tensor] | None = None) -> str:
        """The stem that ``auto`` stands for: that of weights in hand, else as suits the images."""
        if not self.architecture.startswith(RESNETS) or self.stem != "auto":
            return self.stem
        if state is not None and "conv1.weight" in state:
            return "small" if state["conv1.weight"].shape[-1] == SMALL_KERNEL else "imagenet"
        return "small" if self.image_size < SMALL_STEM_BELOW_PX else "imagenet"
