"""How the levels of one sample lie, and their differences: what every coder of levels is told.

Legend: C channels, M elements of a channel, W of its last dimension.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isplit.codec.prediction import Prediction
from isplit.codec.tables import Tables

_AXES = {"none": (0, 0), "rows": (-2, 3), "columns": (-1, 2), "channels": (1, 1)}
"""Axis of a batch over which differences are taken, and how many dimensions a sample needs."""
DELTAS = tuple(_AXES)


@dataclass(frozen=True)
class Form:
    """Geometry and meaning of a sample's levels.

    Attributes:
        shape: of the sample; its first dimension holds the channels.
        bits: of a level.
        tables: of probabilities that both sides hold; None: they travel.
        library: name of the library that codes, where one does.
        effort: of the library; None: its usual one.
        delta: what differences are taken over, one of ``DELTAS``.
        prediction: what contexts are made of; None: neighbours.
    """

    shape: tuple[int, ...]
    bits: int
    tables: Tables | None = None
    library: str = ""
    effort: int | None = None
    delta: str = "none"
    prediction: Prediction | None = None

    @cached_property
    def channels(self) -> int:
        """C; one where the sample has no dimension."""
        return self.shape[0] if self.shape else 1

    @cached_property
    def columns(self) -> int:
        """W; one where a channel has one element."""
        return self.shape[-1] if len(self.shape) > 1 else 1

    @cached_property
    def plane(self) -> tuple[int, int]:
        """(C, M), as coders see the levels."""
        return self.channels, math.prod(self.shape[1:])

    @cached_property
    def count(self) -> int:
        """C * M."""
        return math.prod(self.shape)

    @cached_property
    def packed_bytes(self) -> int:
        """What plain packing takes; nothing is ever larger."""
        return (self.count * self.bits + 7) // 8

    def differences(self, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Each level (N, C, M) less the one before it along an axis; the first stays.

        >>> form = Form((1, 3), bits=2, delta="columns")
        >>> form.differences(np.array([[[1, 3, 0]]], np.uint8)).tolist()
        [[[1, 2, 1]]]
        """
        if self.delta == "none":
            return levels
        samples, (axis, _) = levels.reshape(len(levels), *self.shape), _AXES[self.delta]
        changes = np.diff(samples, axis=axis, prepend=np.uint8(0))
        return (changes & np.uint8((1 << self.bits) - 1)).reshape(levels.shape)

    def summed(self, changes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The levels (N, C, M) whose :meth:`differences` these are."""
        if self.delta == "none":
            return changes
        samples, (axis, _) = changes.reshape(len(changes), *self.shape), _AXES[self.delta]
        levels = np.cumsum(samples, axis=axis, dtype=np.uint8)
        return (levels & np.uint8((1 << self.bits) - 1)).reshape(changes.shape)

    def refuse_flat(self, error: type[ValueError]) -> None:
        """Raise where the sample has no axis to take differences over."""
        needed = _AXES[self.delta][1]
        if len(self.shape) < needed:
            what = f"samples of {needed} dimensions, not of shape {self.shape}"
            raise error(f"codec.delta={self.delta} needs {what}")
