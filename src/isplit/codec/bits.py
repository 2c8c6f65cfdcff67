"""Words of so many bits each, one after the other, highest bit first; levels packed plainly."""

from __future__ import annotations

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


def unpack(bodies: list[bytes], form: Form) -> NDArray[np.uint8]:
    """The levels (N, C, M) that :func:`pack` wrote.

    Raises:
        PayloadError: the length is not that of so many levels.
    """
    for body in bodies:
        if len(body) != form.packed_bytes:
            raise PayloadError(f"{len(body)} bytes of packed levels, not {form.packed_bytes}")
    levels = np.empty((len(bodies), -(-form.count // 8) * 8), np.uint8)
    if COMPILED:
        joined = np.frombuffer(b"".join([*bodies, bytes(8)]), np.uint8)
        _read(joined, form.bits, form.packed_bytes, levels)
    else:
        for body, line in zip(bodies, levels, strict=True):
            line[: form.count] = spread(body, form.count, form.bits)
    return levels[:, : form.count].reshape(-1, *form.plane)


def packed(lines: NDArray[Any], counts: NDArray[np.int64], width: int) -> list[bytes]:
    """The first words of each line, ``counts`` of them, in ``width`` bits each, up to 9.

    Zeros follow them, at least up to the next multiple of eight words.
    """
    sizes = (counts * width + 7) // 8
    if COMPILED:
        written = np.empty((len(lines), lines.shape[1] // 8 * width), np.uint8)
        _write(lines, counts, width, written)
    else:
        written = np.packbits((lines[..., None] >> _places(width)) & 1, axis=None)
        written = written.reshape(len(lines), -1)
    return [row[:size].tobytes() for row, size in zip(written, sizes.tolist(), strict=True)]


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
def _read(bodies: NDArray[np.uint8], bits: int, body_bytes: int, lines: NDArray[np.uint8]) -> None:
    for n in range(len(lines)):
        line = lines[n]
        for eight in range(line.size // 8):
            gathered, place = U64(0), n * body_bytes + bits * eight
            for i in range(bits):
                gathered = gathered << U64(8) | U64(bodies[place + i])
            for i in range(8):
                line[8 * eight + i] = (gathered >> U64(bits * (7 - i))) & U64((1 << bits) - 1)
