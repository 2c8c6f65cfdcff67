"""Codecs without levels: features as they are, and the input image as a JPEG."""

import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from isplit.codec.codec import NAMES, Array, Codec, Coded, check_whole
from isplit.codec.payload import Header, PayloadError

_STORED = {"float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}
DTYPES = tuple(_STORED)
_UINT8 = 3


@dataclass(frozen=True, kw_only=True)
class Plain(Codec):
    """Every element in the type ``dtype``, lowest byte first; decoded to float32.

    Attributes:
        dtype: ``float32``, ``float16`` or ``bfloat16``; rounded to nearest, ties to even.
    """

    name: str = "plain"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"codec.dtype={self.dtype!r} is none of: {', '.join(DTYPES)}")

    def _header(self, shape: tuple[int, ...]) -> Header:
        return Header(NAMES.index(self.name), 0, DTYPES.index(self.dtype), shape)

    def _pack(self, batch: Array) -> Coded:
        with np.errstate(over="ignore", invalid="ignore"):
            single = batch.astype("<f4")
            stored = _stored(single, self.dtype)
        if not (np.isfinite(single).all() and np.isfinite(_values(stored)).all()):
            raise ValueError(f"features hold NaN, infinity, or values too large for {self.dtype}")
        header = self._header(batch.shape[1:])
        return [(header, sample.tobytes()) for sample in stored]

    def _unpack(self, header: Header, body: bytes, sample: Array) -> None:
        stored = np.dtype(_STORED[self.dtype])
        if header.packed or len(body) != stored.itemsize * math.prod(header.shape):
            raise PayloadError(f"{len(body)} bytes are not {self.dtype} of shape {header.shape}")
        sample[0] = _values(np.frombuffer(body, stored)).reshape(header.shape)


@dataclass(frozen=True, kw_only=True)
class Jpeg(Codec):
    """Images uint8 (N, 1 or 3, H, W) as JPEG files; decoded to uint8. Needs Pillow.

    Attributes:
        quality: of Pillow's encoder, 1..95.
    """

    name: str = "jpeg"
    quality: int = 90
    decoded_type = np.uint8

    def __post_init__(self) -> None:
        check_whole("quality", self.quality, 1, 95)

    def _header(self, shape: tuple[int, ...]) -> Header:
        return Header(NAMES.index(self.name), 0, _UINT8, shape)

    def _pack(self, batch: Array) -> Coded:
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1] not in (1, 3):
            raise ValueError(
                f"codec=jpeg takes images uint8 (N, 1 or 3, H, W), not {batch.dtype} {batch.shape}"
            )
        header = self._header(batch.shape[1:])
        return [(header, self._file(image)) for image in batch]

    def _file(self, image: Array) -> bytes:
        pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
        file = io.BytesIO()
        _pillow().fromarray(pixels).save(file, "JPEG", quality=self.quality)
        return file.getvalue()

    def _unpack(self, header: Header, body: bytes, sample: Array) -> None:
        try:
            with _pillow().open(io.BytesIO(body), formats=["JPEG"]) as image:
                if (len(image.getbands()), image.height, image.width) != header.shape:
                    raise PayloadError(f"the JPEG is not of shape {header.shape}")
                pixels = np.asarray(image)
        except PayloadError:
            raise
        except Exception as error:  # what Pillow raises on damaged files is not listed anywhere
            raise PayloadError(f"the body is no JPEG: {error}") from error
        sample[0] = pixels.reshape(*header.shape[1:], header.shape[0]).transpose(2, 0, 1)


def _stored(single: Array, dtype: str) -> Array:
    """As it is sent; a bfloat16 is the upper half of a float32, to nearest, ties to even."""
    if dtype != "bfloat16":
        return single.astype(_STORED[dtype])
    whole = single.view("<u4").astype(np.uint64)
    return ((whole + 0x7FFF + (whole >> 16 & 1)) >> 16).astype("<u2")


def _values(stored: Array) -> Array:
    if stored.dtype.kind == "u":
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float32)


def _pillow() -> Any:
    from PIL import Image  # not needed by any other codec

    return Image
