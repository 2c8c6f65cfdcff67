"""One pass over image files: their pixels, and what had to be done to them.

Legend: N images, S pixels a side.
"""

import logging
import time
from collections.abc import Callable, Sequence
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
from PIL import ImageColor

from isplit.data.cache import Arrays
from isplit.data.decode import SEEN, How, decode_and_see, range_of
from isplit.data.files import Files
from isplit.files import shown
from isplit.threads import cores

log = logging.getLogger(__name__)

_DARK = 32  # of 255: a set without a brighter pixel is named
_SECONDS_BETWEEN_LINES = 5.0


def decode_all(files: Files, names: Sequence[str], how: How, *, keep: bool) -> Arrays:
    """All images and what was seen of each.

    ``pixels`` uint8 (N, 3, S, S), none unless ``keep``; ``seen`` (N) as in ``SEEN``; ``extremes``
    (N, 2), the darkest and the brightest pixel; ``broken`` (N), why it is no image, else empty.

    Raises:
        ValueError: values of images of more than 8 bits whose range is not known.
    """
    pixels = np.zeros((len(names) if keep else 0, 3, how.size, how.size), np.uint8)
    extremes = np.tile(np.array([255, 0], np.uint8), (len(names), 1))
    seen = np.zeros(len(names), SEEN)
    broken = [""] * len(names)

    def read(number: int, how: How) -> None:
        try:
            image, seen[number] = decode_and_see(files.read(names[number]), *how)
        except Exception as error:  # hostile files make decoders raise nearly anything
            broken[number] = shown(f"{type(error).__name__}: {error}")
        else:
            extremes[number] = int(image.min()), int(image.max())
            pixels[number : number + 1] = image  # nowhere, unless they are kept

    first = how if how.values else how._replace(values=(0.0, 1.0))  # read again when all are seen
    for_each(lambda number: read(number, first), range(len(names)), "decoding")
    if seen["deep"].any() and not how.values:
        scaled = how._replace(values=range_of(seen[seen["deep"]]))
        for_each(lambda number: read(number, scaled), seen["deep"].nonzero()[0].tolist(), "scaling")
    return {"pixels": pixels, "seen": seen, "extremes": extremes, "broken": np.array(broken)}


def changes(seen: np.ndarray, how: How) -> dict[str, Any]:
    """What the files' contents alone do not tell of the pixels; empty for most sets."""
    changed: dict[str, Any] = {k: True for k in ("turned", "negative") if seen[k].any()}
    if seen["transparent"].any():
        changed["background"] = ImageColor.getrgb(how.background)
    kinds = set(seen["fractions"][seen["deep"]].tolist())
    usual = (kinds, how.values) in (({False}, (0, 65535)), ({True}, (0, 255)))  # since ever
    if how.values and kinds and not usual:
        changed["range"] = [float(value) for value in how.values]
    return changed


def say(seen: np.ndarray, extremes: np.ndarray, how: How) -> None:
    """Log what was done to the pixels.

    Raises:
        ValueError: all images are of one and the same value.
    """
    deep = seen[seen["deep"]]
    if turned := seen["turned"].sum():
        log.info("%d images are turned as their EXIF orientation says", turned)
    if transparent := seen["transparent"].sum():
        told = (transparent, how.background)
        log.info("%d images with transparent pixels are laid on data.background=%s", *told)
    if how.values and len(deep):
        log.warning(
            "%d images of more than 8 bits hold values from %g to %g; %g is taken as black and %g"
            " as white (data.range=[low,high] says otherwise)",
            *(len(deep), deep["lowest"].min(), deep["highest"].max(), *how.values),
        )
    if how.values and not len(deep):
        log.warning(
            "data.range=[%g,%g] changes nothing: no image has more than 8 bits and does not say"
            " what is white (a PGM file does)",
            *how.values,
        )
    darkest, brightest = extremes[:, 0].min(initial=255), extremes[:, 1].max(initial=0)
    if len(seen) > 1 and darkest == brightest:
        raise ValueError(
            f"all {len(seen)} images are nothing but the value {darkest} after decoding; set"
            " data.range=[low,high], or convert the files to 8 bits"
        )
    if darkest <= brightest < _DARK:
        log.warning(
            "no pixel of any image is brighter than %d of 255: files of more than 8 bits must be"
            " converted to 8 bits first, or data.range set",
            brightest,
        )


def for_each(call: Callable[[int], None], numbers: Sequence[int], what: str) -> None:
    """Call for each number in as many threads as there are cores, with a line now and then."""
    log.info("%s %d images", what, len(numbers))
    last = time.monotonic()
    with ThreadPool(cores()) as pool:
        for done, _ in enumerate(pool.imap_unordered(call, numbers, chunksize=16), 1):
            if time.monotonic() - last > _SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                log.info("%s: %d of %d images", what, done, len(numbers))
