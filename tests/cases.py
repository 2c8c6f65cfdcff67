"""Tiny nets that each hold one trap of forward graphs, with the split points they must have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torchvision.ops import StochasticDepth

CLASSES = 3


@dataclass(frozen=True)
class Case:
    """A net, the shape of one image, its points at ``layer``, and how many it has at ``all``."""

    make: Callable[[], nn.Module]
    image: tuple[int, ...]
    points: tuple[str, ...]
    all_points: int


class Residual(nn.Module):
    """A block that reuses one in-place ReLU and adds in place."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.block1, self.block2 = Block(4), Block(4)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.block2(self.block1(self.stem(x))).mean((2, 3)))


class Block(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += x
        return self.relu(y)


class SometimesResidual(nn.Module):
    """Blocks of one class, the first without its shortcut: one point each all the same."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(MaybeBlock(3, 4), MaybeBlock(4, 4))
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(x).mean((2, 3)))


class MaybeBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.Conv2d(outputs, outputs, 1)
        )
        self.shortcut = inputs == outputs
        self.drop = StochasticDepth(0.2, "row")

    def forward(self, x: Tensor) -> Tensor:
        return x + self.drop(self.layers(x)) if self.shortcut else self.layers(x)


class Branch(nn.Module):
    """Two branches that meet in a concatenation written in the net's own forward."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.left, self.right = nn.Conv2d(4, 2, 1), nn.Conv2d(4, 3, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(5, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x), inplace=True)
        x = torch.cat([self.left(x), self.right(x)], 1).relu_()
        return self.fc(torch.flatten(self.pool(x), 1))


class Overwritten(nn.Module):
    """The shortcut is read after an in-place ReLU has overwritten it: it is the ReLU's output."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.conv1(x)
        y = self.conv2(self.relu(shortcut))
        y += shortcut
        return self.fc(y.mean((2, 3)))


class Tokens(nn.Module):
    """Patches, a class token, two blocks with two shortcuts each, the class token's logits."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.class_token = nn.Parameter(torch.randn(1, 1, 8))
        self.blocks = nn.Sequential(TokenBlock(8), TokenBlock(8))
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        n, channels = x.shape[:2]
        torch._assert(channels == 3, "RGB images only")
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(n, -1, -1), x], 1)
        x = x if mask is None else x * mask
        return self.head(self.norm(self.blocks(x))[:, 0])


class TokenBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, dropout=0.1, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class Permuted(nn.Module):
    """Channels go to the end for LayerNorm and a linear layer, and back for a convolution."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norm, self.linear = nn.LayerNorm(4), nn.Linear(4, 6)
        self.conv = nn.Conv2d(6, 4, 3)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.stem(x).permute(0, 2, 3, 1))
        x = F.gelu(self.linear(x)).permute(0, 3, 1, 2)
        return self.fc(self.conv(x).mean((2, 3)))


class LateSizes(nn.Module):
    """The sizes of the *input* are used at the end: unless rewritten they cross every cut."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        y = F.max_pool2d(F.relu(self.conv1(x)), 2)
        y = F.interpolate(F.relu(self.conv2(y)), size=size)
        y = y.reshape(x.shape[0] * 4, -1).mean(1)
        return self.fc(y.view(x.size(0), 4))


@fx.wrap
def add_in_place(x: Tensor, value: float) -> None:
    """A helper that only mutates: nobody uses its result, and dropping it would be wrong."""
    x += value


class MutatingHelper(nn.Module):
    """An effect that no edge of the graph shows."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))
        add_in_place(x, 1.0)
        return self.fc(F.relu(self.conv2(x)).mean((2, 3)))


class NoSplit(nn.Module):
    """Every layer reads the image again: nowhere does one tensor cross."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(7, 4, 3, padding=1)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(torch.cat([x, self.conv1(x)], 1))
        return self.fc(y.mean((2, 3))) + x.mean((1, 2, 3))[:, None]


def chain() -> nn.Module:
    """Convolutions with in-place ReLUs and pooling, no normalisation."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(6 * 4 * 4, CLASSES),
    )


def normalised() -> nn.Module:
    """BatchNorm and dropout: what train mode changes."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5, inplace=True),
        nn.Conv2d(4, 6, 3, stride=2),
        nn.BatchNorm2d(6),
        nn.Hardswish(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, CLASSES),
    )


def vectors() -> nn.Module:
    """Only vectors cross: split points for who asks for all, none that carries a map."""
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, CLASSES))


CASES = {
    "chain": Case(chain, (3, 8, 8), ("1", "2", "4"), 6),
    "normalised": Case(normalised, (3, 8, 8), ("3", "6"), 9),
    "residual": Case(Residual, (3, 8, 8), ("stem", "block1", "block2"), 6),
    "sometimes_residual": Case(SometimesResidual, (3, 8, 8), ("blocks.0", "blocks.1"), 5),
    "branch": Case(Branch, (3, 8, 8), ("relu", "relu_1"), 6),
    "overwritten": Case(Overwritten, (3, 8, 8), ("relu", "add"), 4),
    "tokens": Case(Tokens, (3, 16, 16), ("cat", "blocks.0", "blocks.1"), 10),
    "permuted": Case(Permuted, (3, 8, 8), ("norm", "permute_1", "conv"), 8),
    "late_sizes": Case(LateSizes, (3, 8, 8), ("relu", "max_pool2d", "interpolate"), 9),
    "mutating_helper": Case(MutatingHelper, (3, 8, 8), ("conv1", "relu"), 4),
    "vectors": Case(vectors, (3, 4, 4), (), 3),
    "no_split": Case(NoSplit, (3, 8, 8), (), 0),
}
SPLITTABLE = [name for name, case in CASES.items() if case.points]


def make(name: str, seed: int = 0) -> nn.Module:
    """The net in train mode, its BatchNorms with weights and statistics that are not 0 and 1."""
    return shaken(CASES[name].make, seed)


def shaken(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """What ``build`` makes from this seed, with BatchNorm weights and statistics at random too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2.0)
                nn.init.uniform_(module.weight, 0.5, 2.0)
    return net


def images(name: str, count: int = 2, seed: int = 1) -> Tensor:
    """Random images for the net."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *CASES[name].image, generator=generator)
