"""One pass over image files: their pixels, and what had to be done to them.

Legend: N images, S pixels a side.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
from PIL import ImageColor

from isplit.data.cache import Arrays
from isplit.data.decode import How, Range, Seen, decode_and_see, range_of
from isplit.data.files import Files, shown
from isplit.threads import cores

log = logging.getLogger(__name__)

_DARK = 32  # of 255: a set without a brighter pixel is named
_SECONDS_BETWEEN_LINES = 5.0


@dataclass(frozen=True)
class Survey:
    """What a pass over the files found.

    Attributes:
        broken: number and reason of each file that is no image.
        turned: images turned as their EXIF data says.
        transparent: images laid on a background.
        deep: images of more than 8 bits that do not say how many.
        lowest, highest: values of these.
        values: their black and white.
        usual: whether every version of this project has read them with this range.
        darkest, brightest: values after decoding, 0..255.
    """

    broken: Mapping[int, str]
    turned: int
    transparent: int
    deep: int
    lowest: float
    highest: float
    values: Range | None
    usual: bool
    darkest: int
    brightest: int

    @classmethod
    def read(cls, text: str) -> Survey:
        """From JSON, which has no whole numbers as keys."""
        found = json.loads(text)
        found["broken"] = {int(number): why for number, why in found["broken"].items()}
        found["values"] = found["values"] and tuple(found["values"])
        return cls(**found)

    def changed(self, background: str) -> dict[str, Any]:
        """What the contents alone do not tell of the pixels; empty for most sets."""
        changed: dict[str, Any] = {"turned": True} if self.turned else {}
        changed |= {"background": ImageColor.getrgb(background)} if self.transparent else {}
        return changed | (
            {}
            if self.usual or not self.values
            else {"range": [float(value) for value in self.values]}
        )


def decode_all(files: Files, names: Sequence[str], how: How, *, keep: bool) -> Arrays:
    """``pixels`` uint8 (N, 3, S, S), none unless ``keep``, and the ``survey`` as JSON.

    Raises:
        ValueError: values of images of more than 8 bits whose range is not known.
    """
    pixels = np.zeros((len(names) if keep else 0, 3, how.size, how.size), np.uint8)
    extremes = np.tile(np.array([255, 0], np.uint8), (len(names), 1))
    seen: dict[int, Seen] = {}
    broken: dict[int, str] = {}

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
    deep = [number for number in seen if seen[number].values]
    values = how.values if deep else None
    if deep and values is None:
        values = range_of([seen[number] for number in deep])
        for_each(lambda number: read(number, how._replace(values=values)), deep, "scaling")
    found = _survey(seen, broken, deep, values, extremes)
    return {"pixels": pixels, "survey": np.array(json.dumps(asdict(found)))}


def say(survey: Survey, background: str, count: int) -> None:
    """Log what was done to the pixels.

    Raises:
        ValueError: all images are of one and the same value.
    """
    if survey.turned:
        log.info("%d images are turned as their EXIF orientation says", survey.turned)
    if survey.transparent:
        log.info(
            "%d images with transparent pixels are laid on data.background=%s",
            *(survey.transparent, background),
        )
    if survey.values:
        log.warning(
            "%d images of more than 8 bits hold values from %g to %g; %g is taken as black and %g"
            " as white (data.range=[low,high] says otherwise)",
            *(survey.deep, survey.lowest, survey.highest, *survey.values),
        )
    if count > 1 and survey.darkest == survey.brightest:
        raise ValueError(
            f"all {count} images are nothing but the value {survey.darkest} after decoding; set"
            " data.range=[low,high], or convert the files to 8 bits"
        )
    if survey.darkest <= survey.brightest < _DARK:
        log.warning(
            "no pixel of any image is brighter than %d of 255: files of more than 8 bits must be"
            " converted to 8 bits first, or data.range set",
            survey.brightest,
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


def _survey(
    seen: Mapping[int, Seen],
    broken: Mapping[int, str],
    deep: Sequence[int],
    values: Range | None,
    extremes: np.ndarray,
) -> Survey:
    every = [value for number in deep for value in seen[number].values or ()]
    whole = {seen[number].whole for number in deep}
    return Survey(
        broken,
        turned=sum(s.turned for s in seen.values()),
        transparent=sum(s.transparent for s in seen.values()),
        deep=len(deep),
        lowest=min(every, default=0),
        highest=max(every, default=0),
        values=values,
        usual=(whole, values) in (({True}, (0, 65535)), ({False}, (0, 255))),
        darkest=int(extremes[:, 0].min(initial=255)),
        brightest=int(extremes[:, 1].max(initial=0)),
    )
