"""The paper's run-length coding (papers/quantization-rle, VI), with codewords of n + 1 bits.

``0`` and a level, or ``1`` and the length of a run of zeros less one. Runs have up to 2**n zeros;
longer ones are split. The order is that of the tensor's memory: channel after channel.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.bits import packed
from isplit.codec.compiled import COMPILED, I64, U64, compiled
from isplit.codec.form import Form
from isplit.codec.payload import PayloadError

_GROUPS = {2: 4, 3: 2, 4: 2}
"""How many levels of so many bits are taken in one step; of others one."""
_LEVELS = np.arange(256, dtype=np.uint8)


def pack(levels: NDArray[np.uint8], form: Form) -> list[bytes]:
    """The codewords of all levels (N, C, M); the last byte ends in zeros.

    The paper's example, with three bits: 0011 0100 1100 0111.

    >>> example = np.array([[[3, 4, 0, 0, 0, 0, 0, 7]]], np.uint8)
    >>> pack(example, Form((1, 8), bits=3))[0].hex()
    '34c7'
    """
    lines, group = levels.reshape(len(levels), form.count), _GROUPS.get(form.bits, 1)
    if not COMPILED:
        return [_written_at_once(line, form.bits) for line in lines]
    padded = np.ones((len(lines), (form.count // group + 1) * group), np.uint8)
    padded[:, : form.count] = lines
    lie = form.bits, group, (padded.shape[1] - form.count) * (form.bits + 1)
    bodies = np.empty((len(lines), padded.shape[1] * (form.bits + 1) // 8 + 8), np.uint8)
    sizes = np.empty(len(lines), np.int64)
    _write(padded, lie, _steps(form.bits, group), bodies, sizes)
    return [body[:size].tobytes() for body, size in zip(bodies, sizes.tolist(), strict=True)]


def unpack(body: bytes, form: Form) -> NDArray[np.uint8]:
    """The levels (C, M) that :func:`pack` wrote.

    Raises:
        PayloadError: the codewords are not those of so many levels.
    """
    levels = np.empty(form.count, np.uint8)
    unpack_values(body, form, _LEVELS, levels)
    return levels.reshape(form.plane)


def unpack_values(body: bytes, form: Form, values: NDArray[Any], elements: NDArray[Any]) -> None:
    """Fill elements (C * M,) with the values of the levels that :func:`pack` wrote.

    Raises:
        PayloadError: the codewords are not those of so many levels.
    """
    elements.fill(values[0])
    end, used = _read(np.frombuffer(body, np.uint8), form.bits, values, elements)
    if end != form.count or used != len(body):
        raise PayloadError(f"{len(body)} bytes of codewords do not give {form.count} levels")


def _written_at_once(line: NDArray[np.uint8], bits: int) -> bytes:
    """As :func:`_write`, without compiled loops."""
    places, longest = np.arange(line.size), 1 << bits
    since = places - np.maximum.accumulate(np.where(line > 0, places + 1, 0))
    begins = np.flatnonzero((line > 0) | (since % longest == 0))
    lengths = np.diff(begins, append=line.size)
    words = np.where(line[begins] > 0, line[begins], longest + lengths - 1)
    return packed(words, bits + 1)


@lru_cache
def _steps(bits: int, group: int) -> NDArray[np.uint32]:
    """What ``group`` levels add to the codewords after so many zeros that are not yet written.

    Row: these zeros; column: the levels, the first in the highest bits. Bits 0-7: the zeros that
    are left for later; 8-12: how many bits are added; from 13 on: the bits.
    """
    longest, symbols = 1 << bits, np.arange(1 << bits * group)
    run = np.repeat(np.arange(longest)[:, None], symbols.size, axis=1)
    added = length = np.zeros_like(run)
    for k in range(group - 1, -1, -1):
        level = symbols >> bits * k & longest - 1
        run = run + (level == 0)
        ends = (run == longest) | (level > 0) & (run > 0)
        added = np.where(ends, added << bits + 1 | longest | run - 1, added)
        run = np.where(ends, 0, run)
        added = np.where(level > 0, added << bits + 1 | level, added)
        length = length + (bits + 1) * (ends + (level > 0).astype(int))
    return (added << 13 | length << 8 | run).astype(np.uint32)


@compiled
def _write(lines: Any, lie: tuple[int, int, int], steps: Any, bodies: Any, sizes: Any) -> None:
    """The body of each line without the bits of what it was filled up with, and its size.

    No branch depends on the levels: every step stores four bytes, and the place moves on by those
    that are complete.
    """
    (bits, group, spare_bits), below = lie, U64((1 << lie[0]) - 1)
    for n in range(len(lines)):
        line, body = lines[n], bodies[n]
        run = gathered = kept = place = U64(0)
        for i in range(U64(0), U64(line.size), U64(group)):
            symbol = U64(line[i])
            if group > 1:
                symbol = symbol << U64(bits) | U64(line[i + U64(1)])
            if group > 2:
                symbol = symbol << U64(bits) | U64(line[i + U64(2)])
                symbol = symbol << U64(bits) | U64(line[i + U64(3)])
            step = U64(steps[run, symbol])
            length = step >> U64(8) & U64(31)
            gathered, kept = gathered << length | step >> U64(13), kept + length
            # the next step waits for the run alone, so it is not looked up in the row of this one
            run = U64(steps[0, symbol]) + (run & (U64(0) - U64(symbol == U64(0)))) & below
            four = gathered << U64(32) - kept
            for k in range(4):
                body[place + U64(k)] = four >> U64(24 - 8 * k) & U64(255)
            place += kept >> U64(3)
            kept &= U64(7)
        used = I64(U64(8) * place + kept) - spare_bits
        sizes[n] = (used + 7) // 8
        if used % 8:
            body[used // 8] &= 256 - (256 >> used % 8)


@compiled
def _read(body: Any, bits: int, values: Any, elements: NDArray[Any]) -> tuple[int, int]:
    """Where the elements end and how many bytes were used; too few leave it before the last."""
    longest, width = 1 << bits, bits + 1
    i = place = kept = gathered = 0
    while i < elements.size:
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
        elements[U64(i)] = values[U64(value * (1 - run))]
        i += 1 + run * value
    return i, place - kept // 8
