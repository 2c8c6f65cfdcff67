"""Values of the keys of ``conf/data``, refused where they cannot be meant."""

from __future__ import annotations

from collections.abc import Sequence

from isplit.data.decode import Range

_SIDES = range(8, 4097)  # pixels: below, no network of this project has a feature map left


def channels(key: str, value: float | Sequence[float]) -> tuple[float, float, float]:
    """One number for all three channels, or three; a standard deviation must be positive."""
    numbers = (float(value),) * 3 if isinstance(value, int | float) else tuple(map(float, value))
    if len(numbers) != 3 or (key == "std" and min(numbers) <= 0):
        raise ValueError(f"data.{key}={value} is neither one nor three (positive std) numbers")
    return (numbers[0], numbers[1], numbers[2])


def whole_seed(seed: int | None) -> int:
    """The seed, 0 if there is none."""
    if seed is None:
        return 0
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"data.seed={seed!r} is no whole number from 0 up")
    return seed


def black_and_white(given: Sequence[float] | None) -> Range | None:
    """Black and white of images of more than 8 bits, if they are given."""
    if given is None:
        return None
    try:
        low, high = map(float, given)
    except (TypeError, ValueError):
        low, high = 0.0, 0.0
    if not low < high:
        raise ValueError(f"data.range={given!r} is neither null nor [low,high], low below high")
    return low, high


def refuse_wrong_numbers(image_size: int, max_corrupt: int, memory_gb: float) -> None:
    """Raise ValueError for a size of images, a number of files or of GB that cannot be."""
    if image_size not in _SIDES:
        raise ValueError(f"data.image_size={image_size} is not in {_SIDES[0]}..{_SIDES[-1]}")
    if max_corrupt < 0:
        raise ValueError(f"data.max_corrupt={max_corrupt} is negative")
    if memory_gb < 0:
        raise ValueError(f"data.memory_gb={memory_gb} is negative")
