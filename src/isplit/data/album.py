"""Image files as uint8 tensors: decoded once into memory where they fit, else on demand.

Legend: N images, S pixels a side.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from PIL import ImageColor
from torch import Tensor

from isplit.data.cache import Arrays, cached
from isplit.data.decode import FITS, Range, Seen, decode, decode_and_see, range_of
from isplit.data.files import ArrayFiles, Files, shown
from isplit.threads import cores

log = logging.getLogger(__name__)

DECODING = 2  # to be raised with every change of the pixels: old cache files are not used then
_CHANNELS = 3
_DARK = 32  # of 255: a set without a brighter pixel is named
_SECONDS_BETWEEN_LINES = 5.0


@dataclass(frozen=True)
class Album:
    """Images by their number, all of one size; each file has been read and checked once.

    Attributes:
        files: give the contents.
        names: of the files; the number of an image is the place of its name.
        size: pixels a side.
        fit: how other shapes become square.
        background: colour below transparent pixels.
        values: black and white of grey images of more than 8 bits, if there are such.
        stored: the decoded images (N, 3, S, S), or none of them.
        digests: the hash of the content of each file.
        broken: number and reason of each file that is no image; its pixels are undefined.
        changed: what was done to pixels beyond reading them; empty for most sets.
    """

    files: Files
    names: tuple[str, ...]
    size: int
    fit: str
    background: str
    values: Range | None
    stored: Tensor
    digests: tuple[bytes, ...]
    broken: Mapping[int, str]
    changed: Mapping[str, Any]

    @property
    def in_memory(self) -> bool:
        """Whether the images are held decoded."""
        return len(self.stored) == len(self.names)

    def pixels(self, numbers: Sequence[int]) -> Tensor:
        """The images of these numbers: uint8 (N, 3, S, S)."""
        if self.in_memory:
            return self.stored[torch.as_tensor(numbers)]
        how = (self.size, self.fit, self.background, self.values)
        return torch.stack([decode(self.files.read(self.names[n]), *how) for n in numbers])


def open_album(
    files: Files,
    names: Sequence[str],
    *,
    size: int,
    fit: str,
    memory_bytes: float,
    cache_dir: Path,
    background: str = "white",
    values: Range | None = None,
) -> Album:
    """All images of these names, held in memory if they fit into ``memory_bytes``.

    Every file is read and hashed each time. What decoding gave is kept in ``cache_dir`` under
    these hashes, unless some files were broken.

    Raises:
        ValueError: an unknown ``fit`` or ``background``, more than the machine's memory, values
            of an unknown range, or images of one value each.
    """
    refuse_unknown(fit, background)
    keep = _fits(len(names) * _CHANNELS * size * size, memory_bytes)
    digests = np.zeros((len(names), 32), np.uint8)

    def digest(number: int) -> None:
        try:
            content = files.read(names[number])
        except Exception:  # decoding will say it by name
            return
        digests[number] = np.frombuffer(hashlib.sha256(content).digest(), np.uint8)

    def make() -> Arrays:
        return _decode_all(files, names, keep, size, fit, background, values)

    _for_each(digest, len(names), "reading")
    if isinstance(files, ArrayFiles):
        arrays = make()
    else:
        contents = hashlib.sha256(digests.tobytes()).hexdigest()
        settings = [contents, size, fit, background, values, keep, DECODING, PIL.__version__]
        arrays = cached(cache_dir, "pixels", settings, make, keep_if=lambda a: not _broken(a))
    found = json.loads(str(arrays["found"]))
    _say(found, background, len(names))
    return Album(
        files,
        tuple(names),
        size,
        fit,
        background,
        found["values"] and (found["values"][0], found["values"][1]),
        stored=torch.from_numpy(arrays["pixels"]),
        digests=tuple(digest.tobytes() for digest in digests),
        broken=_broken(arrays),
        changed=_changed(found, background),
    )


def refuse_unknown(fit: str, background: str) -> None:
    """Raise ValueError if there is no such way to fit, or no such colour."""
    if fit not in FITS:
        raise ValueError(f"data.fit={fit!r} is none of {', '.join(FITS)}")
    try:
        ImageColor.getrgb(background)
    except (ValueError, TypeError, AttributeError):
        raise ValueError(
            f"data.background={background!r} is no colour: white, black ... or '#rrggbb'"
        ) from None


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


def _decode_all(
    files: Files,
    names: Sequence[str],
    keep: bool,
    size: int,
    fit: str,
    background: str,
    values: Range | None,
) -> Arrays:
    """``pixels`` (none unless ``keep``) and what was ``found`` (JSON)."""
    pixels = np.zeros((len(names) if keep else 0, _CHANNELS, size, size), np.uint8)
    extremes = np.zeros((len(names), 2), np.uint8)
    seen: dict[int, Seen] = {}
    broken: dict[int, str] = {}

    def read(number: int, values: Range | None = values or (0, 1)) -> None:
        try:
            content = files.read(names[number])
            image, seen[number] = decode_and_see(content, size, fit, background, values)
        except Exception as error:  # hostile files make decoders raise nearly anything
            broken[number] = shown(f"{type(error).__name__}: {error}")
        else:
            extremes[number] = int(image.min()), int(image.max())
            pixels[number : number + 1] = image  # nowhere, unless they are kept

    _for_each(read, len(names), "decoding")
    deep = [number for number, s in seen.items() if s.values]
    if deep and values is None:
        values = range_of([seen[number] for number in deep])
        _for_each(lambda index: read(deep[index], values), len(deep), "scaling")
    good = extremes[[number for number in range(len(names)) if number not in broken]]
    found = {
        "broken": broken,
        "turned": sum(s.turned for s in seen.values()),
        "transparent": sum(s.transparent for s in seen.values()),
        "deep": len(deep),
        "lowest_highest": _over(seen[number].values for number in deep),
        "whole": all(seen[number].whole for number in deep),
        "values": values,
        "flat": bool(len(good)) and bool((good[:, 0] == good[:, 1]).all()),
        "brightest": int(good[:, 1].max(initial=0)),
    }
    return {"pixels": pixels, "found": np.array(json.dumps(found))}


def _over(values: Any) -> list[float]:
    every = [value for pair in values for value in pair]
    return [min(every), max(every)] if every else []


def _broken(arrays: Arrays) -> dict[int, str]:
    found = json.loads(str(arrays["found"]))
    return {int(number): why for number, why in found["broken"].items()}


def _say(found: Mapping[str, Any], background: str, count: int) -> None:
    """What was done to pixels, and refuse images that show nothing."""
    if found["turned"]:
        log.info("%d images are turned as their EXIF orientation says", found["turned"])
    if found["transparent"]:
        log.info(
            "%d images have transparent pixels, laid on data.background=%s",
            *(found["transparent"], background),
        )
    if found["deep"]:
        log.warning(
            "%d images of more than 8 bits hold values from %g to %g, taken as %g (black) to %g"
            " (white); data.range=[low,high] says otherwise",
            *(found["deep"], *found["lowest_highest"], *found["values"]),
        )
    if found["flat"] and count > 1:
        raise ValueError(
            f"every one of the {count} images is of a single value after decoding: their range is"
            " another than it seems; see data.range, or convert them to 8 bits"
        )
    if found["brightest"] < _DARK and count:
        log.warning(
            "no pixel of any image is brighter than %d of 255; convert the files to 8 bits if"
            " they have more",
            found["brightest"],
        )


def _changed(found: Mapping[str, Any], background: str) -> dict[str, Any]:
    """What the contents of the files alone do not tell; earlier versions did nothing of this."""
    usual = [0, 65535] if found["whole"] else [0, 255]
    changed: dict[str, Any] = {"turned": True} if found["turned"] else {}
    if found["transparent"]:
        changed["background"] = ImageColor.getrgb(background)
    if found["deep"] and list(found["values"]) != usual:
        changed["range"] = list(map(float, found["values"]))
    return changed


def _for_each(read: Callable[[int], None], count: int, what: str) -> None:
    """Call ``read`` for each number in as many threads as there are cores; says how far it is."""
    log.info("%s %d images", what, count)
    last = time.monotonic()
    with ThreadPool(cores()) as pool:
        for done, _ in enumerate(pool.imap_unordered(read, range(count), chunksize=16), 1):
            if time.monotonic() - last > _SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                log.info("%s: %d of %d images", what, done, count)
