"""Range asymmetric numeral systems (Duda 2013): levels to 16-bit words and back.

Four states take turns, one for each of four neighbouring channels; the channels that are left
over, and all of few symbols, use the first state alone. A state lies in 2**15 .. 2**31 - 1, so
that a signed 32-bit integer holds it. Symbols are written from the last to the first, so that they
can be read from the first to the last.

Legend: C channels, M elements of a channel, G elements of a symbol.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import I64, U64, compiled
from isplit.codec.symbols import Lie, context_of

STATES = 4
_LOWEST, _TOTAL, _BELOW = U64(1 << 15), U64(1 << 14), U64((1 << 14) - 1)
_1, _4, _14, _15, _16, _17, _28, _31, _32 = (U64(k) for k in (1, 4, 14, 15, 16, 17, 28, 31, 32))


@compiled
def _push(x: Any, entry: Any, words: NDArray[np.uint16], place: int) -> tuple[Any, int]:
    """State after one more symbol, and where the next word goes (downwards)."""
    part = ((entry >> _14) & _BELOW) + _1
    words[place] = x & U64(65535)
    full = U64(x >= part << _17)
    x = x >> (full << _4)
    ratio = (x * (entry >> _32)) >> (((entry >> _28) & _15) + _31)
    return x + ratio * (_TOTAL - part) + (entry & _BELOW), place - I64(full)


@compiled
def write(
    found: NDArray[np.uint16], entries: NDArray[np.uint64], states: int, words: NDArray[np.uint16]
) -> int:
    """Fill ``words`` from its end; the place of the first one comes out."""
    channels, size, own = found.shape[0], found.shape[1], len(entries)
    x0 = x1 = x2 = x3 = _LOWEST
    place, c = words.size - 1, channels
    while c:
        if states == 1 or c % STATES:
            c -= 1
            for t in range(size - 1, -1, -1):
                x0, place = _push(x0, entries[c % own, found[c, t]], words, place)
        else:
            c -= STATES
            f0, f1, f2, f3 = found[c], found[c + 1], found[c + 2], found[c + 3]
            e0, e1 = entries[c % own], entries[(c + 1) % own]
            e2, e3 = entries[(c + 2) % own], entries[(c + 3) % own]
            for t in range(size - 1, -1, -1):
                x3, place = _push(x3, e3[f3[t]], words, place)
                x2, place = _push(x2, e2[f2[t]], words, place)
                x1, place = _push(x1, e1[f1[t]], words, place)
                x0, place = _push(x0, e0[f0[t]], words, place)
    for x in (x3, x2, x1, x0) if states > 1 else (x0, x0, x0, x0):  # one is cut off below
        words[place] = x & U64(65535)
        words[place - 1] = x >> _16
        place -= 2
    return place + 1 if states > 1 else place + 7


@compiled
def read(
    words: NDArray[np.uint16],
    starts: NDArray[np.uint16],
    states: int,
    lie: Lie,
    context: NDArray[np.uint8],
    levels: NDArray[np.uint8],
) -> bool:
    """Fill ``levels`` (C, M); whether words and states end as the encoder began."""
    (channels, size), (_, bits, group) = levels.shape, lie
    x = np.full(STATES, _LOWEST, np.uint64)
    for lane in range(states):
        x[lane] = U64(words[2 * lane]) << _16 | U64(words[2 * lane + 1])
    place, c = 2 * states, 0
    while c < channels:
        lanes = states if c + states <= channels else 1
        for first in range(0, size, group):
            for lane in range(lanes):
                line, table = levels[c + lane], starts[(c + lane) % len(starts)]
                row = context_of(line, first, lie, context) << bits * group
                symbol, x[lane] = _pull(x[lane], table, row, 1 << bits * group)
                if x[lane] < _LOWEST and place < words.size:
                    x[lane] = x[lane] << _16 | U64(words[place])
                    place += 1
                for i in range(min(first + group, size) - 1, first - 1, -1):
                    shift = bits * (first + group - 1 - i)
                    line[i] = (symbol >> shift) & ((1 << bits) - 1)
        c += lanes
    return place == words.size and bool((x == _LOWEST).all())


@compiled
def _pull(x: Any, starts: NDArray[np.uint16], row: int, span: int) -> tuple[int, Any]:
    """The symbol on top of a state, and the state without it (before it takes a word)."""
    slot = x & _BELOW
    at, half = row, span >> 1
    while half:
        at += half * I64(starts[at + half] <= slot)
        half >>= 1
    start = U64(starts[at])
    end = U64(starts[at + 1]) if at + 1 < row + span else _TOTAL
    return at - row, (end - start) * (x >> _14) + slot - start
