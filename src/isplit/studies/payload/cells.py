"""Cells: what each codec sends at a split point with so many bits, and what the tail answers."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec import Codec, calibrate, from_config
from isplit.point import SplitPoint
from isplit.studies.payload.statistics import Floats, changes

Row = dict[str, Any]
_CHANNEL = {"per": "channel"}
RANGES = {"image": {}, "tensor": {}, "channel": _CHANNEL, "clip": _CHANNEL | {"range": "clip"}}
"""Settings by the word of ``study.ranges``; all but ``image`` are bound to a profile."""


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
    unsplit, few = tail(features).argmax(1) == labels, features[: options["encoded_images"]]
    for ranges, bits in product(options["ranges"], options["bits"]):
        codecs = codecs_of(options["codecs"], ranges, bits, calibration)
        decoded = codecs["quantize"].decode(codecs["quantize"].encode(features))
        measured = changes(tail(decoded).argmax(1) == labels, unsplit)
        sent = {name: _sent(codecs[name], few, decoded) for name in options["codecs"]}
        units = {"bits_per_element": point.numel / 8, "of_float32": point.feature_bytes}
        units |= {"of_jpeg": jpeg_bytes, "of_rle": sent.get("rle", {}).get("payload_bytes", np.nan)}
        for name, weighed in sent.items():
            parts = {key: weighed["payload_bytes"] / unit for key, unit in units.items()}
            yield {"ranges": ranges, "bits": bits, "codec": name, **weighed, **parts, **measured}


def codecs_of(names: Sequence[str], ranges: str, bits: int, known: Floats) -> dict[str, Codec]:
    """The codecs by name, and ``quantize``, calibrated on ``known``; all have the same levels."""
    keys = {"bits": bits, **RANGES[ranges]}
    codecs = {name: from_config({"name": name, **keys}) for name in ("quantize", *names)}
    if ranges == "image":
        return codecs
    profile = calibrate(from_config({"name": "ans", **keys}), known)
    own = {"ans": profile.tables}
    return {
        name: codec.bound(replace(profile, config=codec.get_config(), tables=own.get(name)))
        for name, codec in codecs.items()
    }


def _sent(codec: Codec, features: Floats, decoded: Floats) -> dict[str, float]:
    """Mean bytes of an image as sent, and milliseconds of this process to encode it."""
    codec.encode(features[:1])  # compiled, its library loaded
    start = time.process_time()
    payloads = codec.encode(features)
    encode_ms = 1000 * (time.process_time() - start) / len(features)
    assert np.array_equal(codec.decode(payloads), decoded[: len(payloads)]), codec
    return {"payload_bytes": sum(map(len, payloads)) / len(payloads), "encode_ms": encode_ms}
