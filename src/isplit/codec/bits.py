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
    if form.bits == 1:
        return [row.tobytes() for row in np.packbits(lines, axis=1)]
    if form.count % 8:
        lines = np.pad(lines, ((0, 0), (0, -form.count % 8)))
    if not COMPILED:
        return [packed(line[: form.count], form.bits) for line in lines]
    written = np.empty((len(lines), lines.shape[1] // 8 * form.bits), np.uint8)
    _write(lines, form.bits, written)
    return [row[: form.packed_bytes].tobytes() for row in written]


def unpack(body: bytes, form: Form) -> NDArray[np.uint8]:
    """The levels (C, M) of one body that :func:`pack` gave.

    Raises:
        PayloadError: the length is not that of so many levels.
    """
    if len(body) != form.packed_bytes:
        raise PayloadError(f"{len(body)} bytes of packed levels, not {form.packed_bytes}")
    if not COMPILED or form.bits == 1:
        places = np.unpackbits(np.frombuffer(body, np.uint8), count=form.count * form.bits)
        if form.bits > 1:
            places = places.reshape(form.count, form.bits) @ (1 << _places(form.bits))
        return places.astype(np.uint8).reshape(form.plane)
    levels = np.empty(-(-form.count // 8) * 8, np.uint8)
    _read(np.frombuffer(body + bytes(8), np.uint8), form.bits, levels)
    return levels[: form.count].reshape(form.plane)


def packed(words: NDArray[Any], width: int) -> bytes:
    """Words in ``width`` bits each; the last byte ends in zeros."""
    return np.packbits((words[:, None] >> _places(width)) & 1).tobytes()


def _places(width: int) -> NDArray[np.int64]:
    return np.arange(width)[::-1]


@compiled
def _write(lines: NDArray[np.uint8], width: int, written: NDArray[np.uint8]) -> None:
    """Eight words at a time, which are ``width`` bytes."""
    for n in range(len(lines)):
        line, out = lines[n], written[n]
        for eight in range(line.size // 8):
            gathered = U64(0)
            for i in range(8):
                gathered = gathered << U64(width) | U64(line[8 * eight + i])
            for i in range(width):
                out[width * eight + i] = (gathered >> U64(8 * (width - 1 - i))) & U64(255)


@compiled
def _read(body: NDArray[np.uint8], bits: int, levels: NDArray[np.uint8]) -> None:
    for eight in range(levels.size // 8):
        gathered = U64(0)
        for i in range(bits):
            gathered = gathered << U64(8) | U64(body[bits * eight + i])
        for i in range(8):
            levels[8 * eight + i] = (gathered >> U64(bits * (7 - i))) & U64((1 << bits) - 1)
