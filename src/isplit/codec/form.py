"""How the levels of one sample lie, and their differences: what every coder of levels is told.

Legend: C channels, M elements of a channel, W of its last dimension.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isplit.codec.tables import Tables

_AXES = {"none": 0, "rows": -2, "columns": -1, "channels": 1}
"""Of a batch, over which differences are taken."""
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
    """

    shape: tuple[int, ...]
    bits: int
    tables: Tables | None = None
    library: str = ""
    effort: int | None = None

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


def differences(
    levels: NDArray[np.uint8], shape: tuple[int, ...], delta: str, bits: int
) -> NDArray[np.uint8]:
    """Each level (N, C, M) less the one before it along an axis; the first stays.

    >>> differences(np.array([[[1, 3, 0]]], np.uint8), (1, 3), "columns", bits=2).tolist()
    [[[1, 2, 1]]]
    """
    if delta == "none":
        return levels
    samples = levels.reshape(len(levels), *shape)
    changes = np.diff(samples, axis=_AXES[delta], prepend=np.uint8(0))
    return (changes & np.uint8((1 << bits) - 1)).reshape(levels.shape)


def summed(
    changes: NDArray[np.uint8], shape: tuple[int, ...], delta: str, bits: int
) -> NDArray[np.uint8]:
    """The levels whose :func:`differences` these are."""
    if delta == "none":
        return changes
    samples = changes.reshape(len(changes), *shape)
    levels = np.cumsum(samples, axis=_AXES[delta], dtype=np.uint8)
    return (levels & np.uint8((1 << bits) - 1)).reshape(changes.shape)


def refuse_flat(shape: tuple[int, ...], delta: str) -> None:
    """Raise ValueError where the sample has no such axis."""
    needed = {"none": 0, "channels": 1, "columns": 2, "rows": 3}[delta]
    if len(shape) < needed:
        raise ValueError(
            f"codec.delta={delta} needs samples of {needed} dimensions, not of shape {shape}"
        )
