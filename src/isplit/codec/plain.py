"""Features as they are, in float32, float16 or bfloat16."""

import math
from dataclasses import dataclass

import numpy as np

from isplit.codec.codec import Array, Codec
from isplit.codec.payload import Header, PayloadError

_STORED = {"float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}
DTYPES = tuple(_STORED)


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
            stored = _stored(batch.astype("<f4"), self.dtype)
        if not np.isfinite(_values(stored)).all():
            raise ValueError(f"features hold NaN, infinity, or values too large for {self.dtype}")
        header = self._header(batch.shape[1:])
        return [(header, sample.tobytes()) for sample in stored]

    def _unpack(self, header: Header, body: bytes) -> Array:
        stored = np.dtype(_STORED[self.dtype])
        if header.packed or len(body) != stored.itemsize * math.prod(header.shape):
            raise PayloadError(f"{len(body)} bytes are not {self.dtype} of shape {header.shape}")
        return _values(np.frombuffer(body, stored)).reshape(header.shape)


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
