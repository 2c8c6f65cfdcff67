"""Channels and positions of the features at a split point, whatever their layout.

Shape suffixes: M kinds of map, N images, C channels, X positions (of a map or of a token sequence).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from isplit.types import SplitPoint


def by_channel(features: Tensor, point: SplitPoint) -> Tensor:
    """View (N, C, X) of maps (C, H, W) or (H, W, C), token sequences (T, C) and vectors (C)."""
    match len(point.shape):
        case 1:
            return features.unsqueeze(2)
        case 2:
            return features.transpose(1, 2)
        case _ if point.channels_last:
            return features.flatten(1, -2).transpose(1, 2)
    return features.flatten(2)


def grid_of(point: SplitPoint) -> tuple[int, ...]:
    """Shape of the positions: (H, W), (T,), or (1,) for a vector."""
    match len(point.shape):
        case 1:
            return (1,)
        case 2:
            return point.shape[:1]
        case _ if point.channels_last:
            return point.shape[:-1]
    return point.shape[1:]


def on_grid(maps: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Maps (M, N, ...) that broadcast over ``grid``: nearest neighbour between (H, W) grids.

    Between a grid and a sequence of another length no place corresponds: the mean goes everywhere.
    """
    if tuple(maps.shape[2:]) == grid:
        return maps
    if maps.dim() == 4 and len(grid) == 2:
        return F.interpolate(maps, size=list(grid), mode="nearest")
    return maps.flatten(2).mean(2)[(..., *(None for _ in grid))]
