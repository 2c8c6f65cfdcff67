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
    if not COMPILED:
        return [packed(line, form.bits) for line in lines]
    if form.count % 8:
        lines = np.pad(lines, ((0, 0), (0, -form.count % 8)))
    written = np.empty((len(lines), lines.shape[1] // 8 * form.bits), np.uint8)
    _write(lines, form.bits, written)
    return [row.tobytes() for row in written[:, : form.packed_bytes]]


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


def packed(words: NDArray[Any], width: int) -> bytes:
    """The words of ``width`` bits, without compiled loops."""
    return np.packbits((words[:, None] >> _places(width)) & 1).tobytes()


def spread(body: bytes, count: int, width: int) -> NDArray[np.int64]:
    """The words that :func:`packed` wrote."""
    places = np.unpackbits(np.frombuffer(body, np.uint8), count=count * width)
    words: NDArray[np.int64] = places.reshape(count, width) @ (1 << _places(width))
    return words


def _places(width: int) -> NDArray[np.int64]:
    return np.arange(width)[::-1]


@compiled
def _write(lines: NDArray[np.uint8], bits: int, written: NDArray[np.uint8]) -> None:
    """Eight levels at a time, which are ``bits`` bytes."""
    for n in range(len(lines)):
        line, out = lines[n], written[n]
        for eight in range(line.size // 8):
            gathered = U64(0)
            for i in range(8):
                gathered = gathered << U64(bits) | U64(line[8 * eight + i])
            for i in range(bits):
                out[bits * eight + i] = (gathered >> U64(8 * (bits - 1 - i))) & U64(255)


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
