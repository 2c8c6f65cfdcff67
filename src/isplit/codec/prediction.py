"""A level predicted from channels that were coded before it: what its context is made of.

The prediction is linear, by least squares on the levels of calibration images: from the levels to
the left and above, and from those at the same place in some earlier channels. These are found one
after the other, each time the one that explains most of what is left (orthogonal matching
pursuit; Pati et al. 1993). When it codes, everything is integers.

Legend: N samples, C channels, M elements of a channel, P places, R sources, K contexts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isplit.codec.tables import STATES

MAX_SOURCES = 16
SHIFT = 8
_PLACES, _LEVELS = 1 << 14, 1 << 23  # that are looked at: of a channel; of all
_RIDGE, _WORTH = 1e-4, 1e-4  # added to a variance; part of the variance that a source must explain
_OUTSIDE = 0.002  # of the predictions below the first context, and above the last
_STEEPEST = 100  # contexts that one level more of a source crosses at most
Floats = NDArray[np.float32]
By = tuple[NDArray[np.uint16], NDArray[np.int16], NDArray[np.int32]]


@dataclass(frozen=True)
class Prediction:
    """The context of a level is ``(offset + weights . (left, above, *sources)) // 256``.

    Where that is not in 0..K-1, it is the nearest of them. Left is 0 at the start of a row, above
    in the first row.

    Attributes:
        sources: uint16 (C, R), channels before the four that take turns in the coder.
        weights: int16 (C, R + 2); a source that is none has weight 0.
        offsets: int32 (C,), below 2**29 either way.
        contexts: K.
    """

    sources: NDArray[np.uint16]
    weights: NDArray[np.int16]
    offsets: NDArray[np.int32]
    contexts: int

    @property
    def arrays(self) -> By:
        """As the loops take them: sources, weights, offsets."""
        return self.sources, self.weights, self.offsets

    def __post_init__(self) -> None:
        channels, count = self.sources.shape
        first = np.arange(channels)[:, None] // STATES * STATES
        fits = self.weights.shape == (channels, count + 2) and self.offsets.shape == (channels,)
        if not fits or count > MAX_SOURCES or (np.abs(self.offsets) >= 1 << 29).any():
            raise ValueError("a prediction is not sources, weights and offsets of each channel")
        if ((self.sources >= first) & ((self.weights[:, 2:] != 0) | (self.sources > 0))).any():
            raise ValueError("a prediction has sources that come after what they predict")


NONE = Prediction(np.empty((0, 0), np.uint16), np.empty((0, 2), np.int16), np.empty(0, np.int32), 1)
"""For loops that take one, where there is none."""


def fit_prediction(levels: NDArray[np.uint8], columns: int, contexts: int) -> Prediction:
    """What predicts levels (N, C, M), in units of which K contexts cover what is predicted."""
    channels = levels.shape[1]
    places = np.random.default_rng(0).permutation(levels[:, 0].size)
    places = places[: max(1, min(_PLACES, _LEVELS // channels))]
    parts = (levels, *_neighbours(levels, columns))
    seen = [one.swapaxes(0, 1).reshape(channels, -1)[:, places] for one in parts]
    inputs = np.concatenate(seen).astype(np.float32)
    means = inputs.mean(1)
    inputs -= means[:, None]
    products = inputs[:channels] @ inputs.T / np.float32(len(places))
    sources = np.zeros((channels, MAX_SOURCES), np.uint16)
    weights = np.zeros((channels, MAX_SOURCES + 2), np.int16)
    offsets = np.zeros(channels, np.int32)
    for c in range(channels):
        beside = [channels + c, 2 * channels + c]
        near = inputs[beside]
        found, factors = _pursued(products, near @ near.T / np.float32(len(places)), c)
        said = factors[:2] @ near + factors[2:] @ inputs[found]
        level = factors @ means[[*beside, *found]]
        low, high = np.quantile(said, (_OUTSIDE, 1 - _OUTSIDE))
        step = max((high - low) / contexts, np.abs(factors).max() / _STEEPEST, 1e-6) / (1 << SHIFT)
        sources[c, : len(found)] = found
        weights[c, : len(factors)] = np.rint(factors / step)
        offsets[c] = np.rint(-(low + level) / step)
    return Prediction(sources, weights, offsets, contexts)


def _neighbours(levels: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """What stands to the left of each level and above it, (2, N, C, M)."""
    near = np.zeros((2, *levels.shape), np.uint8)
    near[0, ..., 1:] = levels[..., :-1]
    near[0, ..., ::columns] = 0
    near[1, ..., columns:] = levels[..., : max(0, levels.shape[2] - columns)]
    return near


def _pursued(products: Floats, near: Floats, c: int) -> tuple[list[int], Floats]:
    """The sources of channel ``c``, and the factors of left, above and them.

    Args:
        products: of each channel with each channel, left and above, (C, 3 C).
        near: of left and above with each other, (2, 2).
    """
    channels, before = len(products), c // STATES * STATES
    beside, variances = [channels + c, 2 * channels + c], products.diagonal()
    held, target, found = products[:before, beside], products[c, beside], list[int]()
    while True:
        across = held[found]
        square = np.block([[near, across[:, :2].T], [across]])
        ridge = _RIDGE * np.eye(len(square), dtype=np.float32)
        factors = np.linalg.solve(square + ridge, target)
        gains = (products[:before, c] - held @ factors) ** 2 / (variances[:before] + _RIDGE)
        gains[found] = 0
        if len(found) == MAX_SOURCES or gains.max(initial=0) <= _WORTH * variances[c]:
            return found, factors
        found.append(int(gains.argmax()))
        held = np.column_stack([held, products[:before, found[-1]]])
        target = np.append(target, products[c, found[-1]])
