"""Image files as uint8 tensors: decoded once into memory where they fit, else on demand.

Legend: N images, S pixels a side.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import PIL
import torch
from PIL import Image, ImageOps
from torch import Tensor

from isplit.data.cache import Arrays, cached
from isplit.data.source import Source

log = logging.getLogger(__name__)

Fit = Callable[[Image.Image, tuple[int, int], Image.Resampling], Image.Image]
FITS: dict[str, Fit] = {
    "stretch": Image.Image.resize,
    "crop": ImageOps.fit,
    "pad": ImageOps.pad,
}
DECODING = 1  # to be raised with every change of the pixels: old cache files are not used then
_CHANNELS = 3


@dataclass(frozen=True)
class Album:
    """Images by their number, all of one size; each file has been read and checked once.

    Attributes:
        source: of the files.
        names: of the files; the number of an image is the place of its name.
        size: pixels a side.
        fit: how other shapes become square: ``stretch``, ``crop`` or ``pad``.
        stored: the decoded images (N, 3, S, S), or none of them.
        digests: the hash of the content of each file.
        broken: number and reason of each file that is no image; its pixels are undefined.
    """

    source: Source
    names: tuple[str, ...]
    size: int
    fit: str
    stored: Tensor
    digests: tuple[bytes, ...]
    broken: Mapping[int, str]

    @property
    def in_memory(self) -> bool:
        """Whether the images are held decoded."""
        return len(self.stored) == len(self.names)

    def pixels(self, numbers: Sequence[int]) -> Tensor:
        """The images of these numbers: uint8 (N, 3, S, S)."""
        if self.in_memory:
            return self.stored[torch.as_tensor(numbers)]
        files = [self.source.read(self.names[number]) for number in numbers]
        return torch.stack([decode(file, self.size, self.fit) for file in files])


def open_album(
    source: Source,
    names: Sequence[str],
    *,
    size: int,
    fit: str,
    memory_bytes: float,
    cache_dir: Path,
    threads: int = 1,
) -> Album:
    """All images of these names, held in memory if they fit into ``memory_bytes``.

    What a pass over the files found is kept in ``cache_dir``, unless some were broken, and used
    again while the source's stamp (sizes and times of the files) says that they are the same.

    Raises:
        ValueError: there is no such ``fit``.
    """
    if fit not in FITS:
        raise ValueError(f"data.fit={fit!r} is none of {', '.join(FITS)}")
    keep = len(names) * _CHANNELS * size * size <= memory_bytes
    read = partial(_read_all, source, names, size, fit, keep, threads)
    stamp = source.stamp()
    settings = [stamp, list(names), size, fit, keep, DECODING, PIL.__version__]
    arrays = (
        read() if stamp is None else cached(cache_dir, "pixels", settings, read, keep_if=_all_good)
    )
    return Album(
        source,
        tuple(names),
        size,
        fit,
        stored=torch.from_numpy(arrays["pixels"]),
        digests=tuple(digest.tobytes() for digest in arrays["digests"]),
        broken=_broken(arrays),
    )


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


def _read_all(
    source: Source, names: Sequence[str], size: int, fit: str, keep: bool, threads: int
) -> Arrays:
    """``pixels`` (none unless ``keep``), ``digests`` (N, 32) and ``broken`` (JSON) of the files."""
    pixels = np.zeros((len(names) if keep else 0, _CHANNELS, size, size), np.uint8)
    digests = np.zeros((len(names), hashlib.sha256().digest_size), np.uint8)
    broken: dict[int, str] = {}

    def read(number: int) -> None:
        try:
            content = source.read(names[number])
            digests[number] = np.frombuffer(hashlib.sha256(content).digest(), np.uint8)
            image = decode(content, size, fit)
        except Exception as error:  # hostile files make decoders raise nearly anything
            broken[number] = f"{type(error).__name__}: {error}"
        else:
            pixels[number : number + 1] = image  # nowhere, unless they are kept

    log.info("reading %d images", len(names))
    _for_each(read, len(names), threads)
    return {"pixels": pixels, "digests": digests, "broken": np.array(json.dumps(broken))}


def _broken(arrays: Arrays) -> dict[int, str]:
    return {int(number): why for number, why in json.loads(str(arrays["broken"])).items()}


def _all_good(arrays: Arrays) -> bool:
    return not _broken(arrays)  # what could not be read may be readable the next time


def _for_each(read: Callable[[int], None], count: int, threads: int) -> None:
    """Call ``read`` for each number; decoders let other threads run meanwhile."""
    if threads == 1:
        for number in range(count):
            read(number)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, range(count)))


def _rgb(file: Image.Image) -> Image.Image:
    """Grey becomes three equal channels; 16-bit grey is scaled, for PIL would clip it at 255."""
    if file.mode.startswith("I"):
        file = Image.fromarray((np.asarray(file) // 256).astype(np.uint8))
    return file.convert("RGB")
