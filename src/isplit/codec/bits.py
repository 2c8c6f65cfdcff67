"""Words of so many bits each, one after the other, highest bit first; levels packed plainly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import COMPILED, I64, compiled
from isplit.codec.form import Form
from isplit.codec.payload import PayloadError


def pack(levels: NDArray[np.uint8], form: Form) -> bytes:
    """All levels in ``form.bits`` bits each; the last byte ends in zeros.

    >>> pack(np.array([[3, 4, 7]], np.uint8), Form((1, 3), bits=3)).hex()
    '7380'
    """
    return packed(levels.reshape(-1), levels.size, form.bits)


def unpack(body: bytes, form: Form) -> NDArray[np.uint8]:
    """The levels (C, M) that :func:`pack` wrote.

    Raises:
        PayloadError: the length is not that of so many levels.
    """
    if len(body) != form.packed_bytes:
        raise PayloadError(f"{len(body)} bytes of packed levels, not {form.packed_bytes}")
    levels = np.empty(form.count, np.uint8)
    if COMPILED:
        _read(np.frombuffer(body, np.uint8), form.bits, levels)
    else:
        levels[:] = spread(body, form.count, form.bits)
    return levels.reshape(form.plane)


def packed(words: NDArray[Any], count: int, width: int) -> bytes:
    """The first ``count`` words of ``width`` bits, up to 9."""
    if not COMPILED:
        return np.packbits((words[:count, None] >> _places(width)) & 1).tobytes()
    written = np.empty(count * width // 8 + 8, np.uint8)
    return written[: _write(words, count, width, written)].tobytes()


def spread(body: bytes, count: int, width: int) -> NDArray[np.int64]:
    """The words that :func:`packed` wrote, without compiled loops."""
    places = np.unpackbits(np.frombuffer(body, np.uint8), count=count * width)
    words: NDArray[np.int64] = places.reshape(count, width) @ (1 << _places(width))
    return words


def _places(width: int) -> NDArray[np.int64]:
    return np.arange(width)[::-1]


@compiled
def _write(words: NDArray[Any], count: int, width: int, written: NDArray[np.uint8]) -> int:
    place = kept = gathered = 0  # the last ``kept`` bits wait to be written
    for i in range(count):
        gathered = gathered << width | I64(words[i])
        kept += width
        if kept >= 32:
            kept -= 32
            four = gathered >> kept
            written[place] = (four >> 24) & 255
            written[place + 1] = (four >> 16) & 255
            written[place + 2] = (four >> 8) & 255
            written[place + 3] = four & 255
            place += 4
            gathered &= (1 << kept) - 1
    while kept > 0:
        byte = gathered << 8 >> kept
        written[place] = byte & 255
        place += 1
        kept -= 8
    return place


@compiled
def _read(body: NDArray[np.uint8], width: int, words: NDArray[np.uint8]) -> None:
    place = kept = gathered = 0
    for i in range(words.size):
        if kept < width:
            gathered = (gathered << 8 | I64(body[place])) & 65535
            place += 1
            kept += 8
        kept -= width
        words[i] = (gathered >> kept) & ((1 << width) - 1)
