"""From features to levels and back, in single IEEE float32 steps that every machine repeats.

Legend: N samples, C channels, M elements of a channel, L levels, F fine steps.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import COMPILED, compiled

Floats = NDArray[np.float32]
RANGES = ("minmax", "clip", "rate")
_FRACTIONS = np.linspace(1.0, 0.2, 17)
_ENOUGH = 1 << 16


@dataclass(frozen=True)
class Grid:
    """Where the levels lie, for the whole tensor (one row) or for every channel (C rows).

    An element x becomes ``index[floor((x - low) * scale + 0.5)]``, the place cut to 0..F-1; each
    operation is rounded to float32. Level l becomes ``values[l]``. A dead zone, unequal steps or
    fewer levels in a channel are another ``index`` and other ``values``; the payload is the same.

    Attributes:
        low: (rows,), the middle of the first fine step.
        scale: (rows,), fine steps per unit.
        values: (rows, L), what each level becomes.
        index: (rows, F), the level of each fine step; None: F = L and each step is a level.
    """

    low: Floats
    scale: Floats
    values: Floats
    index: NDArray[np.uint8] | None = None

    def levels(self, features: Floats) -> NDArray[np.uint8]:
        """Levels (N, C, M) of features (N, C, M).

        Raises:
            ValueError: NaN or infinity.
        """
        index = self.index
        steps = self.values.shape[1] if index is None else index.shape[1]
        levels = np.empty(features.shape, np.uint8)
        top = np.float32(steps - 1)
        if COMPILED:
            shape = (len(features), 1, -1) if len(self.low) == 1 else features.shape  # long loops
            planes = features.reshape(shape)
            finite = _round(planes, self.low, self.scale, top, levels.reshape(shape))
        else:
            finite = bool(np.isfinite(features).all())
            places = (features - self.low[:, None]) * self.scale[:, None] + np.float32(0.5)
            levels[:] = np.nan_to_num(np.clip(places, np.float32(0), top))
        if not finite:
            raise ValueError("features hold NaN or infinity")
        if index is not None:
            rows = np.arange(features.shape[1])[:, None] % len(index)
            levels = index[rows, levels]
        return levels

    def write_features(self, levels: NDArray[np.uint8], features: Floats) -> None:
        """Fill ``features`` (C, M), in one block of memory, with what the levels become."""
        if COMPILED:
            rows = (1, -1) if len(self.values) == 1 else levels.shape
            _look_up(levels.reshape(rows), self.values, features.reshape(rows))
        else:
            for c, line in enumerate(levels):
                features[c] = self.values[c % len(self.values)][line]


def uniform(low: Floats, high: Floats, bits: int) -> Grid:
    """Grid of 2**bits equal steps between the lowest and the highest value, both of them levels.

    Computed in float64 and rounded once: ``low + level * (high - low) / (2**bits - 1)``.
    """
    top = (1 << bits) - 1
    start, width = low.astype(np.float64), high.astype(np.float64) - low
    with np.errstate(divide="ignore", over="ignore"):
        scale = np.where(width > 0, top / width, 0.0)
    scale = np.minimum(scale, float(np.finfo(np.float32).max)).astype(np.float32)
    values = start[:, None] + np.arange(top + 1) * width[:, None] / top
    return Grid(low, scale, values.astype(np.float32))


@compiled
def _round(
    features: Floats, low: Floats, scale: Floats, top: np.float32, levels: NDArray[np.uint8]
) -> bool:
    """Whether all features are finite; the levels say nothing where they are not."""
    half, zero, finite = np.float32(0.5), np.float32(0), True
    for sample in range(features.shape[0]):
        for c in range(features.shape[1]):
            line, out = features[sample, c], levels[sample, c]
            start, step = low[c % low.size], scale[c % low.size]
            for m in range(line.size):
                value = line[m]
                finite &= value - value == 0
                out[m] = np.uint8(min(max((value - start) * step + half, zero), top))
    return finite


@compiled
def _look_up(levels: NDArray[np.uint8], values: Floats, features: Floats) -> None:
    for c in range(levels.shape[0]):
        row, line, out = values[c % len(values)], levels[c], features[c]
        for m in range(line.size):
            out[m] = row[line[m]]


def rows_of(features: Floats, per: str) -> Floats:
    """Features (N, C, M) as a row for the ``tensor``, or one for each ``channel``."""
    rows = features.shape[1] if per == "channel" else 1
    return features.swapaxes(0, 1).reshape(rows, features.size // max(1, rows))


def find_ranges(features: Floats, bits: int, per: str, how: str) -> tuple[Floats, Floats]:
    """Lowest and highest value of (N, C, M), for the tensor (1,) or for every channel (C,).

    ``clip``: both drawn towards zero by the fraction, of 17 from 1 to 0.2, that gives the smallest
    squared error of the quantised features; 1 is among them, so it is never worse than ``minmax``.

    Raises:
        ValueError: NaN, infinity, or values further apart than float32 can say.
    """
    rows = rows_of(features, per)
    if not rows.size:
        return np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
    low, high = rows.min(1), rows.max(1)
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(high - low).all():
            raise ValueError("features hold NaN, infinity, or values too far apart for float32")
    if how != "clip":
        return low, high
    step = max(1, rows.shape[1] // _ENOUGH)
    while math.gcd(step, features.shape[2]) > 1:  # else it meets the same places of every channel
        step += 1
    return _clipped(rows[:, ::step], low, high, bits)


def _clipped(rows: Floats, low: Floats, high: Floats, bits: int) -> tuple[Floats, Floats]:
    middle = np.clip(np.float32(0), low, high)
    decoded, candidates, errors = np.empty(rows.shape, np.float32), [], []
    for fraction in _FRACTIONS.astype(np.float32):
        ends = middle + (low - middle) * fraction, middle + (high - middle) * fraction
        grid = uniform(*ends, bits)
        candidates.append(ends)
        grid.write_features(grid.levels(rows[None])[0], decoded)
        errors.append(np.square(decoded - rows).sum(1))
    best = np.argmin(errors, axis=0)
    places = np.arange(len(low))
    lows, highs = (np.array(ends)[best, places] for ends in zip(*candidates, strict=True))
    return lows, highs
