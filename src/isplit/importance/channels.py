"""Channels and positions of the features at a split point, whatever their layout.

Shape suffixes: M kinds of map, N images, C channels, X positions (of a map or of a token sequence).
"""

from torch import Tensor
from torch.nn import functional as F

from isplit.point import SplitPoint


def by_channel(features: Tensor, point: SplitPoint) -> Tensor:
    """View (N, C, X) of maps, sequences and vectors (C), wherever the point has its channels."""
    if len(point.shape) == 1:
        return features.unsqueeze(2)
    return features.movedim(1 + point.channel_axis, 1).flatten(2)


def grid_of(point: SplitPoint) -> tuple[int, ...]:
    """Shape of the positions: (H, W), (T,), or (1,) for a vector."""
    axis = point.channel_axis
    return (*point.shape[:axis], *point.shape[axis + 1 :]) or (1,)


def on_grid(maps: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Maps (M, N, ...) that broadcast over ``grid``: nearest neighbour between (H, W) grids.

    Between a grid and a sequence of another length no place corresponds: the mean goes everywhere.
    """
    if tuple(maps.shape[2:]) == grid:
        return maps
    if maps.dim() == 4 and len(grid) == 2:
        return F.interpolate(maps, size=list(grid), mode="nearest")
    return maps.flatten(2).mean(2)[(..., *(None for _ in grid))]
