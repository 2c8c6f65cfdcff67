"""The paper's run-length coding (papers/quantization-rle, VI), with codewords of n + 1 bits.

``0`` and a level, or ``1`` and the length of a run of zeros less one. Runs have up to 2**n zeros;
longer ones are split. The order is that of the tensor's memory: channel after channel.
"""

import numpy as np
from numpy.typing import NDArray

from isplit.codec.bits import packed, spread
from isplit.codec.compiled import COMPILED, I64, U64, compiled
from isplit.codec.form import Form
from isplit.codec.payload import PayloadError


def pack(levels: NDArray[np.uint8], form: Form) -> list[bytes]:
    """The codewords of all levels (N, C, M); the last byte ends in zeros.

    The paper's example, with three bits: 0011 0100 1100 0111.

    >>> example = np.array([[[3, 4, 0, 0, 0, 0, 0, 7]]], np.uint8)
    >>> pack(example, Form((1, 8), bits=3))[0].hex()
    '34c7'
    """
    lines, counts = levels.reshape(len(levels), form.count), np.empty(len(levels), np.int64)
    words = np.zeros((len(lines), (form.count // 8 + 2) * 8), np.uint16)
    (_write if COMPILED else _write_at_once)(lines, form.bits, words, counts)
    return packed(words, counts, form.bits + 1)


def unpack(body: bytes, form: Form) -> NDArray[np.uint8]:
    """The levels (C, M) that :func:`pack` wrote.

    Raises:
        PayloadError: the codewords are not those of so many levels.
    """
    levels = np.zeros(form.count, np.uint8)
    if COMPILED:
        end, used = _read(np.frombuffer(body, np.uint8), form.bits, levels)
    else:
        end, used = _read_at_once(body, form.bits, levels)
    if end != form.count or used != len(body):
        raise PayloadError(f"{len(body)} bytes of codewords do not give {form.count} levels")
    return levels.reshape(form.plane)


def _write_at_once(
    lines: NDArray[np.uint8], bits: int, words: NDArray[np.uint16], counts: NDArray[np.int64]
) -> None:
    """As :func:`_write`, without compiled loops."""
    places, longest = np.arange(lines.shape[1]), 1 << bits
    for n, line in enumerate(lines):
        since = places - np.maximum.accumulate(np.where(line > 0, places + 1, 0))
        begins = np.flatnonzero((line > 0) | (since % longest == 0))
        lengths = np.diff(begins, append=line.size)
        counts[n] = len(begins)
        words[n, : len(begins)] = np.where(line[begins] > 0, line[begins], longest + lengths - 1)


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
    lines: NDArray[np.uint8], bits: int, words: NDArray[np.uint16], counts: NDArray[np.int64]
) -> None:
    """The codewords of each line, and how many they are.

    Every step stores; the place moves on where a new codeword begins (no branch to guess).
    """
    longest = U64(1 << bits)
    for n in range(len(lines)):
        line, row = lines[n], words[n]
        count = start = U64(0)  # start: of the zeros that are being counted
        for i in range(U64(0), U64(line.size)):
            level, since = U64(line[i]), (i - start) & (longest - U64(1))
            zero = level == U64(0)
            count += U64((since == U64(0)) | (not zero))
            row[count - U64(1)] = longest | since if zero else level
            start = start if zero else i + U64(1)
        counts[n] = count
        row[count : count + U64(8)] = 0  # of a codeword that begins later, or none


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
