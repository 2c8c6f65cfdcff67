"""Range asymmetric numeral systems (Duda 2013): levels to 16-bit words and back.

Four states take turns, one for each of four neighbouring channels; few symbols get one. A state
lies in 2**15 .. 2**31 - 1, so that a signed 32-bit integer holds it. Symbols are written from the
last to the first, so that they can be read from the first to the last.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import compiled, inlined

STATES = 4
_U64 = np.uint64
_I64 = np.int64
_LOWEST = _U64(1 << 15)
_TOTAL = _U64(1 << 14)
_BELOW = _U64((1 << 14) - 1)
_14, _16, _17, _28, _31, _32 = (_U64(shift) for shift in (14, 16, 17, 28, 31, 32))
_1, _4, _15 = _U64(1), _U64(4), _U64(15)


@inlined
def _context(line, first, columns, group, context):  # type: ignore[no-untyped-def]
    """Context of the group at ``first``: of the level before it and those above it."""
    before = _I64(line[first - 1]) if first else _I64(0)
    if first >= columns and first % columns == 0:
        before = _I64(line[first - columns])
    total = before * group
    for i in range(first - columns, first - columns + group):
        total += _I64(line[i]) if 0 <= i < first else before
    return _I64(context[total])


@inlined
def _push(x, entry, words, place):  # type: ignore[no-untyped-def]
    """State after one more symbol, and where the next word goes (downwards)."""
    part = ((entry >> _14) & _BELOW) + _1
    words[place] = x & _U64(65535)
    full = _U64(x >= part << _17)
    x = x >> (full << _4)
    ratio = (x * (entry >> _32)) >> (((entry >> _28) & _15) + _31)
    return x + ratio * (_TOTAL - part) + (entry & _BELOW), place - _I64(full)


@inlined
def _pull(x, starts, row, span, words, place):  # type: ignore[no-untyped-def]
    """The symbol on top of a state, the state without it, and the place of the next word."""
    slot = x & _BELOW
    at, half = row, span >> 1
    while half:
        at += half * _I64(starts[at + half] <= slot)
        half >>= 1
    start = _U64(starts[at])
    end = _U64(starts[at + 1]) if at + 1 < row + span else _TOTAL
    x = (end - start) * (x >> _14) + slot - start
    more = _I64(x < _LOWEST)
    if place + more > words.size:
        more = 0
    if more:
        x = x << _16 | _U64(words[place])
    return at - row, x, place + more


@compiled
def symbols_of(
    levels: NDArray[np.uint8],
    columns: int,
    context: NDArray[np.uint8],
    bits: int,
    group: int,
    found: NDArray[np.uint16],
) -> None:
    """Write context * S + symbol of every group of levels (C, M) into ``found`` (C, M / G)."""
    size = levels.shape[1]
    inside = columns if columns >= group else size  # from here on no border is near
    for c in range(levels.shape[0]):
        line = levels[c]
        column = 0
        for t in range(found.shape[1]):
            first = t * group
            if first < inside or first + group > size or group == 3:
                symbol = _context(line, first, columns, group, context)
                for i in range(first, first + group):
                    symbol = (symbol << bits) | (_I64(line[i]) if i < size else _I64(0))
            else:
                up = first - columns
                total = group * _I64(line[first - 1 if column else up])
                if group == 4:
                    total += _I64(line[up + 2]) + _I64(line[up + 3])
                    fine = _I64(line[first + 2]) << bits | _I64(line[first + 3])
                if group > 1:
                    total += _I64(line[up]) + _I64(line[up + 1])
                    symbol = _I64(line[first]) << bits | _I64(line[first + 1])
                else:
                    total += _I64(line[up])
                    symbol = _I64(line[first])
                if group == 4:
                    symbol = symbol << 2 * bits | fine
                symbol |= _I64(context[total]) << bits * group
            found[c, t] = symbol
            column = column + group if column + group < columns else column + group - columns


@compiled
def write(
    found: NDArray[np.uint16], entries: NDArray[np.uint64], states: int, words: NDArray[np.uint16]
) -> int:
    """Fill ``words`` from its end; the place of the first one comes out."""
    channels, size = found.shape
    together = channels // states * states if states > 1 else 0
    place, own = words.size - 1, len(entries)
    x0 = x1 = x2 = x3 = _LOWEST
    for c in range(channels - 1, together - 1, -1):
        line, table = found[c], entries[c % own]
        for t in range(size - 1, -1, -1):
            x0, place = _push(x0, table[line[t]], words, place)
    for c in range(together - 4, -1, -4):
        f0, f1, f2, f3 = found[c], found[c + 1], found[c + 2], found[c + 3]
        e0, e1 = entries[c % own], entries[(c + 1) % own]
        e2, e3 = entries[(c + 2) % own], entries[(c + 3) % own]
        for t in range(size - 1, -1, -1):
            x3, place = _push(x3, e3[f3[t]], words, place)
            x2, place = _push(x2, e2[f2[t]], words, place)
            x1, place = _push(x1, e1[f1[t]], words, place)
            x0, place = _push(x0, e0[f0[t]], words, place)
    for lane, x in enumerate((x3, x2, x1, x0)):
        if lane >= STATES - states:
            words[place] = x & _U64(65535)
            words[place - 1] = x >> _16
            place -= 2
    return place + 1


@compiled
def read(
    words: NDArray[np.uint16],
    starts: NDArray[np.uint16],
    contexts: int,
    states: int,
    columns: int,
    context: NDArray[np.uint8],
    bits: int,
    group: int,
    levels: NDArray[np.uint8],
) -> bool:
    """Fill ``levels`` (C, M); whether words and states end as the encoder began."""
    channels, size = levels.shape
    together = channels // states * states if states > 1 else 0
    own, span = len(starts), starts.shape[1] // contexts
    x = np.full(STATES, _LOWEST, np.uint64)
    for lane in range(states):
        x[lane] = _U64(words[2 * lane]) << _16 | _U64(words[2 * lane + 1])
    place = 2 * states
    mask = (1 << bits) - 1
    for base in range(0, channels, 1):
        if base < together and base % states:
            continue
        lanes = states if base < together else 1
        for first in range(0, size, group):
            for lane in range(lanes):
                c = base + lane
                line = levels[c]
                row = span * _context(line, first, columns, group, context)
                table = starts[c % own]
                symbol, x[lane], place = _pull(x[lane], table, row, span, words, place)
                for i in range(min(first + group, size) - 1, first - 1, -1):
                    line[i] = (symbol >> bits * (first + group - 1 - i)) & mask
    return place == words.size and bool((x == _LOWEST).all())
