"""The paper's run-length coding (papers/quantization-rle, VI), with codewords of n + 1 bits.

``0`` and a level, or ``1`` and the length of a run of zeros less one. Runs have up to 2**n zeros;
longer ones are split. The order is that of the tensor's memory: channel after channel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isplit.codec.bits import packed, spread
from isplit.codec.compiled import COMPILED, I64, compiled
from isplit.codec.form import Form
from isplit.codec.payload import PayloadError


def pack(levels: NDArray[np.uint8], form: Form) -> list[bytes]:
    """The codewords of all levels (N, C, M); the last byte ends in zeros.

    The paper's example, with three bits: 0011 0100 1100 0111.

    >>> example = np.array([[[3, 4, 0, 0, 0, 0, 0, 7]]], np.uint8)
    >>> pack(example, Form((1, 8), bits=3))[0].hex()
    '34c7'
    """
    lines, bits = levels.reshape(len(levels), form.count), form.bits
    if not COMPILED:
        return [packed(_words_at_once(line, 1 << bits), bits + 1) for line in lines]
    written = np.empty((len(lines), form.count * (bits + 1) // 8 + 8), np.uint8)
    sizes = np.empty(len(lines), np.int64)
    _write(lines, bits, written, sizes)
    return [row[:size].tobytes() for row, size in zip(written, sizes.tolist(), strict=True)]


def unpack(bodies: list[bytes], form: Form) -> NDArray[np.uint8]:
    """The levels (N, C, M) that :func:`pack` wrote.

    Raises:
        PayloadError: the codewords are not those of so many levels.
    """
    lines = np.zeros((len(bodies), form.count), np.uint8)
    for body, line in zip(bodies, lines, strict=True):
        if COMPILED:
            end, used = _read(np.frombuffer(body, np.uint8), form.bits, line)
        else:
            end, used = _read_at_once(body, form.bits, line)
        if end != form.count or used != len(body):
            raise PayloadError(f"{len(body)} bytes of codewords do not give {form.count} levels")
    return lines.reshape(-1, *form.plane)


def _words_at_once(levels: NDArray[np.uint8], longest: int) -> NDArray[np.uint16]:
    """The codewords, without compiled loops."""
    places = np.arange(levels.size)
    since = places - np.maximum.accumulate(np.where(levels > 0, places + 1, 0))
    begins = np.flatnonzero((levels > 0) | (since % longest == 0))
    lengths = np.diff(begins, append=levels.size)
    return np.where(levels[begins] > 0, levels[begins], longest + lengths - 1).astype(np.uint16)


def _read_at_once(body: bytes, bits: int, levels: NDArray[np.uint8]) -> tuple[int, int]:
    """As :func:`_read`, without compiled loops."""
    words = spread(body, 8 * len(body) // (bits + 1), bits + 1)
    run = words >> bits
    ends = np.cumsum(1 + run * (words & ((1 << bits) - 1)))
    used = int(np.searchsorted(ends, levels.size)) + 1 if levels.size else 0
    if used > len(words) or (used and ends[used - 1] != levels.size):
        return -1, 0
    literal = run[:used] == 0
    levels[ends[:used][literal] - 1] = words[:used][literal]
    return levels.size, (used * (bits + 1) + 7) // 8


@compiled
def _write(
    lines: NDArray[np.uint8], bits: int, written: NDArray[np.uint8], sizes: NDArray[np.int64]
) -> None:
    """The codewords of each line, without a branch that could be guessed wrongly.

    The last codeword stands in the lowest bits; a zero that lengthens its run adds one to it.
    """
    longest, width = 1 << bits, bits + 1
    for n in range(len(lines)):
        line, out = lines[n], written[n]
        place = kept = gathered = room = 0  # room: by how many zeros the run may yet grow
        for i in range(line.size):
            level = I64(line[i])
            zero = I64(level == 0)
            grows = zero & I64(room > 0)
            begins = 1 - grows
            gathered = (gathered << width * begins) + (level + grows + (zero - grows << bits))
            kept += width * begins
            room = (room - 1 if grows else longest - 1) * zero
            if kept >= 48:
                kept -= 32
                for k in range(4):
                    out[place + k] = (gathered >> kept + 24 - 8 * k) & 255
                gathered &= (1 << kept) - 1
                place += 4
        while kept > 0:
            out[place] = (gathered << 8 >> kept) & 255
            place += 1
            kept -= 8
        sizes[n] = place


@compiled
def _read(body: NDArray[np.uint8], bits: int, levels: NDArray[np.uint8]) -> tuple[int, int]:
    """Where the levels end and how many bytes were used; too few leave it before the last."""
    longest, width = 1 << bits, bits + 1
    i = place = kept = gathered = 0
    while i < levels.size:
        if kept < width:
            if place + 4 <= body.size:
                four = I64(body[place]) << 24 | I64(body[place + 1]) << 16
                four |= I64(body[place + 2]) << 8 | I64(body[place + 3])
                gathered = (gathered & 511) << 32 | four
                place += 4
                kept += 32
            elif place < body.size:
                gathered = (gathered & 511) << 8 | I64(body[place])
                place += 1
                kept += 8
                continue
            else:
                break
        kept -= width
        word = (gathered >> kept) & (2 * longest - 1)
        run = word >> bits
        value = word & (longest - 1)
        levels[i] = value * (1 - run)
        i += 1 + run * value
    return i, place - kept // 8
