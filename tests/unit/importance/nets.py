"""Tiny networks that each hold one trap for the importance curves."""

from __future__ import annotations

import cases
import torch
from torch import Tensor, nn

CLASSES = ["ant", "bee", "cat"]


class Residual(nn.Module):
    """Two residual blocks that reuse one in-place ReLU and add in place."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6))
        self.relu = nn.ReLU(inplace=True)
        self.first = cases.Block(6)
        self.pool = nn.MaxPool2d(2)
        self.second = cases.Block(6)
        self.head = nn.Linear(6, len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.pool(self.first(self.relu(self.stem(x)))))
        return self.head(x.mean((2, 3)))


class Tokens(nn.Module):
    """Patches, then blocks of attention-free token mixing: features (T, D)."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.blocks = nn.Sequential(*(_TokenBlock(8) for _ in range(3)))
        self.head = nn.Linear(8, len(CLASSES))  # no last norm: behind one, alphas add up to zero

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.blocks(x).mean(1))


class _TokenBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


def chain() -> nn.Module:
    """Convolutions with in-place ReLUs and odd pooling (9 -> 4 -> 2), no normalisation."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32, len(CLASSES)),
    )


def with_dropout() -> nn.Module:
    """BatchNorm and dropout: everything that train mode would change."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, len(CLASSES)),
    )


NETS = {"chain": chain, "residual": Residual, "tokens": Tokens, "dropout": with_dropout}
SEED = 9  # all curves below have values above zero, for predictions too
SIZES = {"chain": 9, "residual": 8, "tokens": 12, "dropout": 8}


def make(name: str, seed: int = SEED) -> nn.Module:
    """The net in float64 with random weights and BatchNorm statistics that are not 0 and 1."""
    return cases.shaken(lambda: NETS[name]().double(), seed)


def images_and_labels(name: str, count: int = 7) -> tuple[Tensor, Tensor]:
    """Random images and labels, unevenly spread over the classes."""
    generator = torch.Generator().manual_seed(1)
    size = SIZES[name]
    images = torch.rand(count, 3, size, size, generator=generator, dtype=torch.float64)
    return images, torch.tensor([0, 1, 1, 2, 1, 0, 1])[:count]
