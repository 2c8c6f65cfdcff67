"""Cells: what each codec sends at a split point with so many bits, and what the tail answers."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec import Codec, calibrate, from_config
from isplit.codec.by_rate import MOST_BITS
from isplit.codec.calibration import with_tables
from isplit.codec.levels import Levels
from isplit.point import SplitPoint
from isplit.studies.payload.statistics import Floats, changes, in_proportion

Row = dict[str, Any]
_CHANNEL = {"per": "channel"}
RANGES = {"image": {}, "tensor": {}, "channel": _CHANNEL} | {
    how: _CHANNEL | {"range": how} for how in ("clip", "rate")
}
"""Settings by the word of ``study.ranges``; all but ``image`` are bound to a profile."""
CODECS = {"ans_channels": {"name": "ans", "context": "channels"}}
"""Settings by the word of ``study.codecs``, where it is not the codec's name."""


def cells(
    point: SplitPoint,
    features: Floats,
    calibration: Floats,
    tail: Callable[[Floats], Floats],
    labels: NDArray[np.int64],
    options: Mapping[str, Any],
    jpeg_bytes: float,
) -> Iterator[Row]:
    """A cell for each of ``study.ranges``, ``study.bits`` and ``study.codecs``.

    The tail answers once for all codecs of the same levels, which must decode to the same features.

    Args:
        features: of test images (N, C, ...); ``calibration``: those of other images.
        jpeg_bytes: of an input image.
    """
    order, few = in_proportion(labels), features[: options["encoded_images"]]
    unsplit = (tail(features).argmax(1) == labels)[order]
    for ranges, bits in product(options["ranges"], options["bits"]):
        if ranges == "rate" and bits > MOST_BITS:
            continue
        codecs = codecs_of(options["codecs"], ranges, bits, calibration)
        decoded = codecs["quantize"].decode(codecs["quantize"].encode(features))
        measured = changes((tail(decoded).argmax(1) == labels)[order], unsplit)
        named = [name for name in options["codecs"] if name in codecs]
        sent = {name: _sent(codecs[name], few, decoded) for name in named}
        units = {"bits_per_element": point.numel / 8, "of_float32": point.feature_bytes}
        units |= {"of_jpeg": jpeg_bytes, "of_rle": sent.get("rle", {}).get("payload_bytes", np.nan)}
        for name, weighed in sent.items():
            parts = {key: weighed["payload_bytes"] / unit for key, unit in units.items()}
            yield {"ranges": ranges, "bits": bits, "codec": name, **weighed, **parts, **measured}


def refuse_nothing(options: Mapping[str, Any]) -> None:
    """Refuse a choice of ranges, bits and codecs of which nothing is left to measure."""
    of_profiles = {*options["codecs"]} <= CODECS.keys()
    for ranges, bits in product(options["ranges"], options["bits"]):
        if not ((ranges == "rate" and bits > MOST_BITS) or (ranges == "image" and of_profiles)):
            return
    asked = ", ".join(f"study.{key}={[*options[key]]}" for key in ("ranges", "bits", "codecs"))
    raise ValueError(
        f"{asked} leave nothing to measure: rate is for at most {MOST_BITS} bits, and "
        f"{', '.join(CODECS)} for other ranges than image"
    )


def codecs_of(names: Sequence[str], ranges: str, bits: int, known: Floats) -> dict[str, Codec]:
    """The codecs by name, and ``quantize``, calibrated on ``known``; all have the same levels.

    Where each image has its own range, those that need a profile are left out.
    """
    keys: dict[str, Any] = {"bits": bits, **RANGES[ranges]}
    configs = {name: {"name": name, **keys} | CODECS.get(name, {}) for name in ("quantize", *names)}
    if ranges == "image":
        return {name: from_config(one) for name, one in configs.items() if name not in CODECS}
    codecs = {name: from_config(config) for name, config in configs.items()}
    plain = Levels(name="quantize", **keys)
    grid = calibrate(plain, known)
    levels = plain.bound(grid).levels(known)
    for name, codec in codecs.items():
        profile = replace(grid, config=codec.get_config())
        codecs[name] = codec.bound(with_tables(profile, levels) if codec.name == "ans" else profile)
    return codecs


def _sent(codec: Codec, features: Floats, decoded: Floats) -> dict[str, float]:
    """Mean bytes of an image as sent, and milliseconds of this process to encode it."""
    codec.encode(features[:1])  # compiled, its library loaded
    start = time.process_time()
    payloads = codec.encode(features)
    encode_ms = 1000 * (time.process_time() - start) / len(features)
    assert np.array_equal(codec.decode(payloads), decoded[: len(payloads)]), codec
    return {"payload_bytes": sum(map(len, payloads)) / len(payloads), "encode_ms": encode_ms}
