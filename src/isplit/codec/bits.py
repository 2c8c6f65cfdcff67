"""Words of so many bits each, one after the other, highest bit first; levels packed plainly."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import COMPILED, U64, compiled
from isplit.codec.form import Form
from isplit.codec.payload import PayloadError


def pack(levels: NDArray[np.uint8], form: Form) -> list[bytes]:
    """All levels (N, C, M) in ``form.bits`` bits each; the last byte ends in zeros.

    >>> pack(np.array([[[3, 4, 7]]], np.uint8), Form((1, 3), bits=3))[0].hex()
    '7380'
    """
    lines = levels.reshape(len(levels), form.count)
    if form.count % 8:
        lines = np.pad(lines, ((0, 0), (0, -form.count % 8)))
    return packed(lines, np.full(len(lines), form.count), form.bits)


def unpack(body: bytes, form: Form) -> NDArray[np.uint8]:
    """The levels (C, M) of one body that :func:`pack` gave.

    Raises:
        PayloadError: the length is not that of so many levels.
    """
    if len(body) != form.packed_bytes:
        raise PayloadError(f"{len(body)} bytes of packed levels, not {form.packed_bytes}")
    if not COMPILED:
        return spread(body, form.count, form.bits).astype(np.uint8).reshape(form.plane)
    levels = np.empty(-(-form.count // 8) * 8, np.uint8)
    _read(np.frombuffer(body + bytes(8), np.uint8), form.bits, levels)
    return levels[: form.count].reshape(form.plane)


def packed(lines: NDArray[Any], counts: NDArray[np.int64], width: int) -> list[bytes]:
    """The first words of each line, ``counts`` of them, in ``width`` bits each, up to 9.

    Zeros follow them, at least up to the next multiple of eight words.
    """
    if not COMPILED:
        pairs = zip(lines, counts, strict=True)
        return [np.packbits((row[:k, None] >> _places(width)) & 1).tobytes() for row, k in pairs]
    written = np.empty((len(lines), lines.shape[1] // 8 * width), np.uint8)
    _write(lines, counts, width, written)
    sizes = ((counts * width + 7) // 8).tolist()
    return [row[:size].tobytes() for row, size in zip(written, sizes, strict=True)]


def spread(body: bytes, count: int, width: int) -> NDArray[np.int64]:
    """The words that :func:`packed` wrote."""
    places = np.unpackbits(np.frombuffer(body, np.uint8), count=count * width)
    words: NDArray[np.int64] = places.reshape(count, width) @ (1 << _places(width))
    return words


def _places(width: int) -> NDArray[np.int64]:
    return np.arange(width)[::-1]


@compiled
def _write(
    lines: NDArray[Any], counts: NDArray[np.int64], width: int, written: NDArray[np.uint8]
) -> None:
    """Eight words at a time, which are ``width`` bytes."""
    for n in range(len(lines)):
        line, out = lines[n], written[n]
        for eight in range((counts[n] + 7) // 8):
            gathered = U64(0)
            for i in range(8):
                gathered = gathered << U64(width) | U64(line[8 * eight + i])
            for i in range(max(width - 8, 0), width):
                out[width * eight + i] = (gathered >> U64(8 * (width - 1 - i))) & U64(255)
            if width > 8:  # the first eight of 72 bits fell out of the 64
                out[width * eight] = line[8 * eight] >> 1


@compiled
def _read(body: NDArray[np.uint8], bits: int, levels: NDArray[np.uint8]) -> None:
    for eight in range(levels.size // 8):
        gathered = U64(0)
        for i in range(bits):
            gathered = gathered << U64(8) | U64(body[bits * eight + i])
        for i in range(8):
            levels[8 * eight + i] = (gathered >> U64(bits * (7 - i))) & U64((1 << bits) - 1)
