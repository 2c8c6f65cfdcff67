"""Image files as uint8 tensors: decoded once into memory where they fit, else on demand.

Legend: N images, S pixels a side.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from isplit.data.source import Source

Fit = Callable[[Image.Image, tuple[int, int], Image.Resampling], Image.Image]
FITS: dict[str, Fit] = {
    "stretch": Image.Image.resize,
    "crop": ImageOps.fit,
    "pad": ImageOps.pad,
}
_CHANNELS = 3

_Check = tuple[bytes, str]  # digest of a file's content; why it is no image, or empty


class Album:
    """Images by their number, all of one size; each file has been read and checked once.

    Attributes:
        size: pixels a side.
        fit: how other shapes become square: ``stretch``, ``crop`` or ``pad``.
        digests: the hash of the content of each file.
        broken: number and reason of each file that is no image; its pixels are undefined.
    """

    def __init__(
        self,
        source: Source,
        names: Sequence[str],
        *,
        size: int,
        fit: str,
        memory_bytes: float,
        threads: int = 1,
    ) -> None:
        if fit not in FITS:
            raise ValueError(f"data.fit={fit!r} is none of {', '.join(FITS)}")
        self.size, self.fit = size, fit
        self._source, self._names = source, tuple(names)
        fits = len(names) * _CHANNELS * size * size <= memory_bytes
        self._stored = torch.empty(
            len(names) if fits else 0, _CHANNELS, size, size, dtype=torch.uint8
        )
        checks = _in_threads(self._check, len(names), threads)
        self.digests = tuple(digest for digest, _ in checks)
        self.broken = {number: reason for number, (_, reason) in enumerate(checks) if reason}

    @property
    def in_memory(self) -> bool:
        """Whether the images are held decoded."""
        return len(self._stored) == len(self._names)

    def pixels(self, numbers: Sequence[int]) -> Tensor:
        """The images of these numbers: uint8 (N, 3, S, S)."""
        if self.in_memory:
            return self._stored[torch.as_tensor(numbers)]
        return torch.stack([self._decode(self._source.read(self._names[n])) for n in numbers])

    def _check(self, number: int) -> _Check:
        """Digest of a file and why it cannot be decoded (empty: it can, and is stored)."""
        content = b""
        try:
            content = self._source.read(self._names[number])
            image = self._decode(content)
        except Exception as error:  # hostile files make decoders raise nearly anything
            return hashlib.sha256(content).digest(), f"{type(error).__name__}: {error}"
        if self.in_memory:
            self._stored[number] = image
        return hashlib.sha256(content).digest(), ""

    def _decode(self, content: bytes) -> Tensor:
        return decode(content, self.size, self.fit)


def decode(content: bytes, size: int, fit: str = "stretch") -> Tensor:
    """The image in a file's bytes, resized with antialiasing: uint8 RGB (3, S, S).

    ``stretch`` changes the aspect ratio, ``crop`` cuts the longer side, ``pad`` adds black.
    """
    with Image.open(io.BytesIO(content)) as file:
        file.draft("RGB", (2 * size, 2 * size))  # large JPEGs decode at the scale that is needed
        image = _rgb(file)
    if image.size != (size, size):
        image = FITS[fit](image, (size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _in_threads(check: Callable[[int], _Check], count: int, threads: int) -> list[_Check]:
    """``check`` of each number, in order; decoders let other threads run meanwhile."""
    if threads == 1:
        return [check(number) for number in range(count)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(check, range(count)))


def _rgb(file: Image.Image) -> Image.Image:
    """Grey becomes three equal channels; 16-bit grey is scaled, for PIL would clip it at 255."""
    if file.mode.startswith("I"):
        file = Image.fromarray((np.asarray(file) // 256).astype(np.uint8))
    return file.convert("RGB")
