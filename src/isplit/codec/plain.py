"""Features as they are, in float32, float16 or bfloat16."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from isplit.codec.codec import Array, Codec
from isplit.codec.payload import Header, PayloadError

DTYPES = ("float32", "float16", "bfloat16")


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
        return Header(self.number, 0, DTYPES.index(self.dtype), shape)

    def _pack(self, batch: Array) -> list[tuple[Header, bytes]]:
        with np.errstate(over="ignore", invalid="ignore"):
            single = batch.astype("<f4")
            stored = _bfloat16(single) if self.dtype == "bfloat16" else single.astype(self.dtype)
        values = single if self.dtype == "bfloat16" else stored
        if not np.isfinite(values).all():
            raise ValueError(f"features hold NaN, infinity, or values too large for {self.dtype}")
        header = self._header(batch.shape[1:])
        return [(header, sample.tobytes()) for sample in stored]

    def _unpack(self, header: Header, body: bytes) -> Array:
        half = self.dtype != "float32"
        if header.packed or len(body) != (2 if half else 4) * math.prod(header.shape):
            raise PayloadError(f"{len(body)} bytes are not {self.dtype} of shape {header.shape}")
        if self.dtype == "bfloat16":
            values = (np.frombuffer(body, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(body, "<f2" if half else "<f4").astype(np.float32)
        decoded: Array = values.reshape(header.shape)
        return decoded


def _bfloat16(single: Array) -> Array:
    """The upper half of each float32, rounded to nearest, ties to even."""
    whole = single.view("<u4")
    upper: Array = ((whole + 0x7FFF + (whole >> 16 & 1)) >> 16).astype("<u2")
    return upper
