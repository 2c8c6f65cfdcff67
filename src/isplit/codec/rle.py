"""The paper's run-length coding (papers/quantization-rle, VI), with codewords of n + 1 bits.

``0`` and a level, or ``1`` and the length of a run of zeros less one. Runs have up to 2**n zeros;
longer ones are split. The order is that of the tensor's memory: channel after channel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import compiled
from isplit.codec.form import Form
from isplit.codec.payload import PayloadError


def pack(levels: NDArray[np.uint8], form: Form) -> bytes:
    """The codewords of all levels; the last byte ends in zeros.

    The paper's example, with three bits: 0011 0100 1100 0111.

    >>> example = np.array([[3, 4, 0, 0, 0, 0, 0, 7]], np.uint8)
    >>> pack(example, Form((1, 8), bits=3)).hex()
    '34c7'
    """
    written = np.empty(levels.size * (form.bits + 1) // 8 + 8, np.uint8)
    return written[: _write(levels.reshape(-1), form.bits, written)].tobytes()


def unpack(body: bytes, form: Form) -> NDArray[np.uint8]:
    """The levels (C, M) that :func:`pack` wrote.

    Raises:
        PayloadError: the codewords are not those of so many levels.
    """
    levels = np.zeros(form.count, np.uint8)
    used_bits = _read(np.frombuffer(body, np.uint8), form.bits, levels)
    if used_bits < 0 or (used_bits + 7) // 8 != len(body):
        raise PayloadError(f"{len(body)} bytes of codewords do not give {form.count} levels")
    return levels.reshape(form.plane)


@compiled
def _write(levels: NDArray[np.uint8], bits: int, written: NDArray[np.uint8]) -> int:
    longest, width = 1 << bits, bits + 1
    place = kept = run = 0
    gathered = 0  # the last ``kept`` bits wait to be written
    for i in range(levels.size + 1):
        level = int(levels[i]) if i < levels.size else 0
        if level == 0 and i < levels.size:
            run += 1
            if run < longest:
                continue
        if run:
            gathered = (gathered << width) | (longest + run - 1)
            kept += width
            run = 0
        if level:
            gathered = (gathered << width) | level
            kept += width
        while kept >= 8:
            kept -= 8
            written[place] = (gathered >> kept) & 255
            place += 1
        gathered &= 255
    if kept:
        written[place] = (gathered << (8 - kept)) & 255
        place += 1
    return place


@compiled
def _read(body: NDArray[np.uint8], bits: int, levels: NDArray[np.uint8]) -> int:
    """Bits used, or -1 where the body ends early or a run is longer than the rest."""
    longest, width = 1 << bits, bits + 1
    place = kept = gathered = i = 0
    while i < levels.size:
        while kept < width:
            if place == body.size:
                return -1
            gathered = ((gathered & 511) << 8) | int(body[place])
            place += 1
            kept += 8
        kept -= width
        word = (gathered >> kept) & (2 * longest - 1)
        if word < longest:
            levels[i] = word
            i += 1
        else:
            i += word - longest + 1
    return 8 * place - kept if i == levels.size else -1
