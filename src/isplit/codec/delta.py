"""Differences of neighbouring levels instead of the levels, modulo their number.

Legend: C channels, M elements of a channel.
"""

import numpy as np
from numpy.typing import NDArray

DELTAS = ("none", "rows", "columns", "channels")
_AXES = {"rows": -2, "columns": -1, "channels": 0}


def differences(
    levels: NDArray[np.uint8], shape: tuple[int, ...], delta: str, bits: int
) -> NDArray[np.uint8]:
    """Each level less the one before it along an axis; the first stays. Shape as it came.

    >>> differences(np.array([[1, 3, 0]], np.uint8), (1, 3), "columns", bits=2).tolist()
    [[1, 2, 1]]
    """
    if delta == "none":
        return levels
    changes = np.diff(levels.reshape(shape), axis=_AXES[delta], prepend=np.uint8(0))
    return (changes & np.uint8((1 << bits) - 1)).reshape(levels.shape)


def summed(
    changes: NDArray[np.uint8], shape: tuple[int, ...], delta: str, bits: int
) -> NDArray[np.uint8]:
    """The levels whose :func:`differences` these are."""
    if delta == "none":
        return changes
    levels = np.cumsum(changes.reshape(shape), axis=_AXES[delta], dtype=np.uint8)
    return (levels & np.uint8((1 << bits) - 1)).reshape(changes.shape)


def refuse_flat(shape: tuple[int, ...], delta: str) -> None:
    """Raise ValueError where the sample has no such axis."""
    needed = {"none": 0, "channels": 1, "columns": 2, "rows": 3}[delta]
    if len(shape) < needed:
        raise ValueError(
            f"codec.delta={delta} needs samples of {needed} dimensions, not of shape {shape}"
        )
