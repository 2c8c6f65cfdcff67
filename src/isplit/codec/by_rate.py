"""Levels that are worth their bits: an entropy-constrained Lloyd quantiser (Chou et al. 1989).

Legend: R rows (one for the tensor, or one a channel), F fine steps, L levels.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.grid import Floats, Grid

MOST_BITS = 4
BIT = 0.25  # of the mean variance of the rows: the squared error that is worth one bit
_FINE, _ROUNDS = 256, 40
_FIRST = 0.7  # of the range, over which the first levels lie


def by_rate(
    rows: Floats, low: Floats, high: Floats, bits: int, bit: float = BIT, weights: Any = 1.0
) -> Grid:
    """At most 2**bits levels for features (R, ..), whose lowest and highest values are given.

    Levels that cost more than they are worth are left out: there is a dead zone, and a row that
    is not worth a bit has one level, its mean.

    Args:
        bit: of the mean variance, what one bit is worth.
        weights: of the error of each row, (R,).
    """
    top, low = _FINE - 1, np.minimum(low, np.float32(0))
    width = np.where(high > low, high - low, 1).astype(np.float64)
    scale = np.minimum(top / width, float(np.finfo(np.float32).max)).astype(np.float32)
    share = np.stack([_shares(row, *ends) for row, *ends in zip(rows, low, scale, strict=True)])
    middle = low[:, None] + np.arange(_FINE) / scale[:, None].astype(np.float64)
    variance = (share * middle**2).sum(1) - (share * middle).sum(1) ** 2
    price = bit * (weights * variance).mean() / np.maximum(weights, 1e-30) * np.ones(len(rows))
    levels = np.arange(1 << bits)
    values = low[:, None] + width[:, None] * levels / levels[-1] * _FIRST
    cost = np.full(values.shape, float(bits))
    for _ in range(_ROUNDS):
        errors = (middle[..., None] - values[:, None]) ** 2
        index = (errors + (price[:, None] * cost)[:, None]).argmin(2)
        chosen = share[..., None] * (index[..., None] == levels)
        mass = chosen.sum(1)
        sums = (chosen * middle[..., None]).sum(1)
        values = np.where(mass > 0, sums / np.maximum(mass, 1e-12), values)
        cost = -np.log2(np.maximum(mass, 1e-6))
    return Grid(low, scale, values.astype(np.float32), index.astype(np.uint8))


def _shares(row: Floats, low: np.float32, scale: np.float32) -> NDArray[np.float64]:
    """Which part of the features lies in each fine step, (F,)."""
    steps = np.clip((row - low) * scale + np.float32(0.5), 0, _FINE - 1).astype(int)
    return np.bincount(steps, minlength=_FINE) / row.size
