"""Between which values the levels lie: lowest and highest, or clipped to the smallest error.

Legend: N samples, C channels, M elements of a channel.
"""

import numpy as np
from numpy.typing import NDArray

from isplit.codec.grid import uniform

Floats = NDArray[np.float32]
RANGES = ("minmax", "clip")
_FRACTIONS = np.linspace(1.0, 0.2, 17)
_ENOUGH = 1 << 16


def find_ranges(features: Floats, bits: int, per: str, how: str) -> tuple[Floats, Floats]:
    """Lowest and highest value of (N, C, M), for the tensor (1,) or for every channel (C,).

    ``clip``: both drawn towards zero by the fraction, of 17 from 1 to 0.2, that gives the smallest
    squared error of the quantised features; 1 is among them, so it is never worse than ``minmax``.

    Raises:
        ValueError: NaN, infinity, or values further apart than float32 can say.
    """
    channels = features.shape[1]
    rows = features.swapaxes(0, 1).reshape(channels if per == "channel" else 1, -1)
    if not rows.size:
        return np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
    low, high = rows.min(1), rows.max(1)
    with np.errstate(over="ignore", invalid="ignore"):
        refuse = not np.isfinite(high - low).all()
    if refuse:
        raise ValueError("features hold NaN, infinity, or values too far apart for float32")
    return (low, high) if how == "minmax" else _clipped(rows, low, high, bits)


def _clipped(rows: Floats, low: Floats, high: Floats, bits: int) -> tuple[Floats, Floats]:
    rows = rows[:, :: max(1, rows.shape[1] // _ENOUGH)]
    middle = np.clip(np.float32(0), low, high)
    candidates, errors = [], []
    for fraction in _FRACTIONS.astype(np.float32):
        ends = middle + (low - middle) * fraction, middle + (high - middle) * fraction
        grid = uniform(*ends, bits)
        candidates.append(ends)
        errors.append(np.square(grid.features(grid.levels(rows[None])[0]) - rows).sum(1))
    best = np.argmin(errors, axis=0)
    places = np.arange(len(low))
    lows, highs = (np.array(ends)[best, places] for ends in zip(*candidates, strict=True))
    return lows, highs
