"""The bottleneck that needs no training: principal components of the features' blocks.

Shape suffixes: N images, C channels, H W map, R rows (blocks), D elements of a block, K channels
of the code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isplit.bottleneck import code_shape
from isplit.importance.axes import principal_axes
from isplit.importance.taps import by_channel, grid_of
from isplit.point import SplitPoint

AROUND = 3  # positions of the code, each way, that an overlapping decoder sees
RIDGE = 0.1  # of the mean square of what it sees
REGRESSORS_AT_MOST = 4608  # of an overlapping decoder: their products take 85 MB; more: no overlap


@dataclass(frozen=True)
class Blocks:
    """Features as rows, one per position of the code, and back.

    A map (C, H, W) is cut into the blocks of which the encoder's strides see one per position of
    the code: D = C x (side of a block) squared. Of sequences and volumes every position is one. So
    a linear code of K numbers per row has exactly the autoencoder's size.

    Attributes:
        height, width: of the map; what is none is one column.
        sides: of a block, downwards and to the right.
        channels: K.
    """

    point: SplitPoint
    height: int
    width: int
    sides: tuple[int, int]
    channels: int

    @classmethod
    def at(cls, point: SplitPoint, compression_rate: float) -> Blocks:
        """The blocks at a point, for a code that keeps ``1 - compression_rate`` of the elements."""
        axis = point.channel_axis
        code = code_shape(point.shape, compression_rate, channels_last=axis > 0)
        if len(point.shape) != 3:
            return cls(point, math.prod(grid_of(point)), 1, (1, 1), code[axis])
        height, width = grid_of(point)
        sides = (-(-height // code[1]), -(-width // code[2]))
        return cls(point, height, width, sides, min(code[0], point.shape[axis] * math.prod(sides)))

    @property
    def elements(self) -> int:
        """D, of each row."""
        return self.point.shape[self.point.channel_axis] * math.prod(self.sides)

    @property
    def grid(self) -> tuple[int, int]:
        """Positions of the code, downwards and to the right."""
        return -(-self.height // self.sides[0]), -(-self.width // self.sides[1])

    @property
    def per_image(self) -> int:
        """Rows of one image."""
        return math.prod(self.grid)

    def rows(self, features: Tensor) -> Tensor:
        """Features (N, *point.shape) as rows (R, D); maps that do not fit are continued."""
        channels = by_channel(features, self.point)
        maps = channels.reshape(*channels.shape[:2], self.height, self.width)
        down, right = (-size % side for size, side in zip(maps.shape[2:], self.sides, strict=True))
        if down or right:
            maps = F.pad(maps, (0, right, 0, down), mode="replicate")
        a, b = self.sides
        n, c, h, w = maps.shape
        blocks = maps.reshape(n, c, h // a, a, w // b, b)
        return blocks.permute(0, 2, 4, 1, 3, 5).reshape(-1, c * a * b)

    def features(self, rows: Tensor) -> Tensor:
        """Rows (R, D) as the features they came from."""
        a, b = self.sides
        h, w = self.grid
        blocks = rows.view(-1, h, w, rows.shape[1] // (a * b), a, b).permute(0, 3, 1, 4, 2, 5)
        maps = blocks.reshape(blocks.shape[0], -1, h * a, w * b)[..., : self.height, : self.width]
        placed = maps.movedim(1, -1).reshape(len(maps), *grid_of(self.point), -1)
        channels = placed.movedim(-1, 1 + self.point.channel_axis)
        return channels.reshape(-1, *self.point.shape)

    def around(self, codes: Tensor) -> Tensor:
        """Codes (R, K) of whole images with those around each, and a one for each that there is."""
        h, w = self.grid
        codes = torch.cat([codes, torch.ones_like(codes[:, :1])], dim=1)
        maps = codes.view(-1, h, w, codes.shape[1]).permute(0, 3, 1, 2)
        seen = F.unfold(maps, AROUND, padding=AROUND // 2).transpose(1, 2)
        return seen.reshape(len(codes), -1)


@dataclass(frozen=True)
class LinearCode:
    """The best linear code of some rows: their mean (D) and their first principal axes (D, K)."""

    mean: Tensor
    axes: Tensor

    @classmethod
    def fit(cls, rows: Tensor, channels: int) -> LinearCode:
        """The code that gives rows (R, D) back with least squared error.

        Args:
            rows: to fit it to.
            channels: K, cut down to what the rows span.
        """
        mean_D = rows.mean(0)
        return cls(mean_D, principal_axes(rows - mean_D, channels).contiguous())

    def encode(self, rows: Tensor) -> Tensor:
        """The code (R, K) of rows (R, D)."""
        return (rows - self.mean) @ self.axes

    def reconstruct(self, rows: Tensor) -> Tensor:
        """Rows (R, D) as they come back from the code."""
        return self.encode(rows) @ self.axes.T + self.mean


@dataclass(frozen=True)
class OverlappingCode:
    """A linear code whose blocks are decoded from the codes around them too.

    So does the autoencoder, whose transposed convolutions overlap. Nothing comes back lower or
    higher than its channel was ever seen: after a ReLU nothing is negative.

    Attributes:
        code: of the blocks by themselves.
        decoder: from what ``Blocks.around`` gives to a row; ``None``: there is nothing around, or
            too much of it.
        lowest, highest: (D).
    """

    code: LinearCode
    blocks: Blocks
    decoder: Tensor | None
    lowest: Tensor
    highest: Tensor

    @classmethod
    def fit(cls, code: LinearCode, blocks: Blocks, rows: Tensor) -> OverlappingCode:
        """The decoder by ridge regression on the rows (R, D) of whole images."""
        decoder = None
        regressors = AROUND**2 * (code.axes.shape[1] + 1)
        if blocks.grid != (1, 1) and regressors <= REGRESSORS_AT_MOST:
            seen = blocks.around(code.encode(rows))
            squares = seen.T @ seen
            squares.diagonal().add_(RIDGE * squares.diagonal().mean())
            decoder = torch.linalg.solve(squares, seen.T @ (rows - code.mean))
        area = math.prod(blocks.sides)
        channels = rows.view(len(rows), -1, area)
        ends = (channels.amin((0, 2)), channels.amax((0, 2)))
        return cls(code, blocks, decoder, *(end.repeat_interleave(area) for end in ends))

    def reconstruct(self, rows: Tensor) -> Tensor:
        """Rows (R, D) of whole images as they come back from the code."""
        if self.decoder is None:
            back = self.code.reconstruct(rows)
        else:
            back = self.blocks.around(self.code.encode(rows)) @ self.decoder + self.code.mean
        return back.clamp(self.lowest, self.highest)
