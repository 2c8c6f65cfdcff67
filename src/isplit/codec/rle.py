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


def pack(levels: NDArray[np.uint8], form: Form) -> bytes:
    """The codewords of all levels; the last byte ends in zeros.

    The paper's example, with three bits: 0011 0100 1100 0111.

    >>> example = np.array([[3, 4, 0, 0, 0, 0, 0, 7]], np.uint8)
    >>> pack(example, Form((1, 8), bits=3)).hex()
    '34c7'
    """
    line, words = levels.reshape(-1), np.empty(levels.size + 1, np.uint16)
    if COMPILED:
        return packed(words, _words_of(line, form.bits, words), form.bits + 1)
    words = _words_at_once(line, 1 << form.bits)
    return packed(words, len(words), form.bits + 1)


def unpack(body: bytes, form: Form) -> NDArray[np.uint8]:
    """The levels (C, M) that :func:`pack` wrote.

    Raises:
        PayloadError: the codewords are not those of so many levels.
    """
    levels = np.zeros(form.count + (1 << form.bits), np.uint8)  # a run may end beyond the last
    if COMPILED:
        end, used = _levels_of(np.frombuffer(body, np.uint8), form.bits, form.count, levels)
    else:
        end, used = _levels_at_once(body, form.bits, levels[: form.count])
    if end != form.count or used != len(body):
        raise PayloadError(f"{len(body)} bytes of codewords do not give {form.count} levels")
    return levels[:end].reshape(form.plane)


def _words_at_once(levels: NDArray[np.uint8], longest: int) -> NDArray[np.uint16]:
    """The codewords, without compiled loops."""
    places = np.arange(levels.size)
    since = places - np.maximum.accumulate(np.where(levels > 0, places + 1, 0))
    begins = np.flatnonzero((levels > 0) | (since % longest == 0))
    lengths = np.diff(begins, append=levels.size)
    return np.where(levels[begins] > 0, levels[begins], longest + lengths - 1).astype(np.uint16)


def _levels_at_once(body: bytes, bits: int, levels: NDArray[np.uint8]) -> tuple[int, int]:
    """As :func:`_levels_of`, without compiled loops."""
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
def _words_of(levels: NDArray[np.uint8], bits: int, words: NDArray[np.uint16]) -> int:
    """Every step stores; the place moves on where a new codeword begins (no branch to guess)."""
    longest = 1 << bits
    place, run = -1, longest
    for i in range(levels.size):
        level = I64(levels[i])
        zero = I64(level == 0)
        goes_on = zero & I64(run < longest)
        place += 1 - goes_on
        run = run * goes_on + 1
        words[place] = level + zero * (longest + run - 1)
        run += (1 - zero) * (longest - run)
    return place + 1


@compiled
def _levels_of(
    body: NDArray[np.uint8], bits: int, count: int, levels: NDArray[np.uint8]
) -> tuple[int, int]:
    """Where the levels end and how many bytes were used; too few bytes leave it below count."""
    longest, width = 1 << bits, bits + 1
    i = place = kept = gathered = 0
    while i < count:
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
