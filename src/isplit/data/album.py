"""Image files as uint8 tensors: decoded once into memory where they fit, else on demand.

Legend: N images, S pixels a side.
"""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from torch import Tensor

from isplit.data.cache import cached
from isplit.data.decode import How, decode, range_of
from isplit.data.files import Files
from isplit.data.survey import changes, decode_all, for_each, say

log = logging.getLogger(__name__)

DECODING = 4  # to be raised with every change of the pixels: old cache files are not used then


@dataclass(frozen=True)
class DecodedImages:
    """Images by the names of their files, all of one size; each was read and checked once.

    Attributes:
        files: give the contents.
        digests: the hash of the content of each file; their order is that of ``stored``.
        how: files become pixels.
        stored: the decoded images (N, 3, S, S), or none of them.
        broken: reason of each file that is no image; its pixels are undefined.
        changed: what was done to pixels that the contents do not tell; empty for most sets.
    """

    files: Files
    digests: Mapping[str, bytes]
    how: How
    stored: Tensor
    broken: Mapping[str, str]
    changed: Mapping[str, Any]

    @property
    def in_memory(self) -> bool:
        """Whether the images are held decoded."""
        return len(self.stored) == len(self.digests)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.digests)}

    def pixels(self, names: Sequence[str]) -> Tensor:
        """The images of these names: uint8 (N, 3, S, S)."""
        if self.in_memory:
            return self.stored[[self._places[name] for name in names]]
        return torch.stack([decode(self.files.read(name), *self.how) for name in names])


def decoded_images(
    files: Files, names: Sequence[str], how: How, memory_bytes: float, cache_dir: Path | str
) -> DecodedImages:
    """All images of these names, held in memory if they fit into ``memory_bytes``.

    Every file is read and hashed each time. What decoding gave is kept in ``cache_dir`` under
    these hashes, unless some files were broken.

    Raises:
        ValueError: more than the machine's memory, values of an unknown range, or images of
            nothing but one value.
    """
    keep = _fits(len(names) * 3 * how.size**2, memory_bytes)
    digests = _digests(files, names)
    make = partial(decode_all, files, names, how, keep=keep)
    contents = hashlib.sha256(digests.tobytes()).hexdigest()
    settings = [contents, *how, keep, DECODING, PIL.__version__]
    make_cached = partial(
        cached, cache_dir, "pixels", settings, make, lambda made: not any(made["broken"])
    )
    arrays = make_cached() if files.on_disk else make()
    seen = arrays["seen"]
    if seen["deep"].any() and not how.values:
        how = how._replace(values=range_of(seen[seen["deep"]]))
    say(seen, arrays["extremes"], how)
    return DecodedImages(
        files,
        dict(zip(names, map(np.ndarray.tobytes, digests), strict=True)),
        how,
        torch.from_numpy(arrays["pixels"]),
        {name: why for name, why in zip(names, arrays["broken"].tolist(), strict=True) if why},
        changes(seen, how),
    )


def _fits(needed: int, memory_bytes: float) -> bool:
    """Whether so many bytes may be held; says so where not."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory_bytes >= needed > machine:
        raise ValueError(
            f"data.memory_gb={memory_bytes / 1e9:g}: the decoded images are {needed / 1e9:.1f} GB,"
            f" this machine has {machine / 1e9:.1f} GB; a smaller value reads them on demand"
        )
    if needed > memory_bytes:
        log.warning(
            "the decoded images are %.1f GB, more than data.memory_gb=%g: they are decoded anew"
            " in every epoch, by data.num_workers processes",
            *(needed / 1e9, memory_bytes / 1e9),
        )
    return needed <= memory_bytes


def _digests(files: Files, names: Sequence[str]) -> np.ndarray:
    """SHA-256 of each file's content (N, 32); zeros where it cannot be read."""
    digests = np.zeros((len(names), 32), np.uint8)

    def read(number: int) -> None:
        try:
            content = files.read(names[number])
        except Exception:  # decoding will say it by name
            return
        digests[number] = np.frombuffer(hashlib.sha256(content).digest(), np.uint8)

    for_each(read, range(len(names)), "reading")
    return digests
