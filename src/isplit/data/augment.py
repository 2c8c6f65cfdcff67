"""Random changes of training images, each a pure function of seed, epoch and image number.

Nothing here keeps a state: the same image of the same epoch is changed in the same way in a
resumed run, in any order and in any worker process.

Legend: S pixels a side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Step = Callable[[Tensor, np.random.Generator], Tensor]


def augment(image: Tensor, name: str, *, seed: int, epoch: int, number: int) -> Tensor:
    """The image (3, S, S) after the steps of an augmentation, drawn for this epoch and number."""
    random = np.random.default_rng((seed, epoch, number))
    for step in AUGMENTATIONS[name]:
        image = step(image, random)
    return image


def refuse_unknown(name: str) -> None:
    """Raise ValueError if there is no augmentation of this name."""
    if name not in AUGMENTATIONS:
        raise ValueError(f"data.augment={name!r} is none of {', '.join(AUGMENTATIONS)}")


def shifted(image: Tensor, random: np.random.Generator) -> Tensor:
    """Moved by up to an eighth of a side (4 pixels of 32), edges mirrored: He et al. 2016, 4.2."""
    size = image.shape[-1]
    reach = size // 8
    top, left = random.integers(0, 2 * reach + 1, size=2)
    rows = _mirrored(torch.arange(size) + int(top) - reach, size)
    columns = _mirrored(torch.arange(size) + int(left) - reach, size)
    return image[:, rows][:, :, columns]


def flipped(image: Tensor, random: np.random.Generator) -> Tensor:
    """Mirrored left to right, one time in two; letters and chest X-rays do not bear it."""
    return image.flip(-1) if random.random() < 0.5 else image


def rescaled(image: Tensor, random: np.random.Generator) -> Tensor:
    """A random window of 50 % to 100 % of each side, back at full size."""
    size = image.shape[-1]
    height, width = (int(side) for side in random.integers(-(-size // 2), size + 1, size=2))
    top, left = int(random.integers(size - height + 1)), int(random.integers(size - width + 1))
    window = image[:, top : top + height, left : left + width].float()
    full = F.interpolate(window[None], size=(size, size), mode="bilinear", align_corners=False)
    return full[0].round().to(image.dtype)


def brightened(image: Tensor, random: np.random.Generator) -> Tensor:
    """Brightness and contrast each changed by up to 20 %."""
    gain, shift = random.uniform(0.8, 1.2), random.uniform(-51, 51)
    return (gain * image.float() + shift).round().clamp(0, 255).to(image.dtype)


def erased(image: Tensor, random: np.random.Generator) -> Tensor:
    """A square of half a side at a random centre turned mid-grey: DeVries and Taylor 2017."""
    size = image.shape[-1]
    row, column = (int(place) for place in random.integers(0, size, size=2))
    reach = size // 4
    image = image.clone()
    image[:, max(0, row - reach) : row + reach, max(0, column - reach) : column + reach] = 128
    return image


AUGMENTATIONS: dict[str, tuple[Step, ...]] = {
    "none": (),
    "crop": (shifted,),
    "crop_flip": (shifted, flipped),
    "crop_flip_erase": (shifted, flipped, erased),
    "crop_light": (shifted, brightened),
    "resized_crop_flip": (rescaled, flipped),
}


def _mirrored(places: Tensor, size: int) -> Tensor:
    """Coordinates outside 0..size-1 thrown back in, the edge itself not repeated."""
    period = 2 * (size - 1)
    places = places.remainder(period)
    return torch.minimum(places, period - places)
