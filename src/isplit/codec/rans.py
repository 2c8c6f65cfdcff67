"""Range asymmetric numeral systems (Duda 2013): levels to 16-bit words and back.

A symbol is G neighbouring levels of a channel, the first in the highest bits; its context says
what stands before and above it. Four states take turns, one for each of four neighbouring
channels; the channels that are left over, and all where there is one state, use the first state
alone. A state lies in 2**15 .. 2**31 - 1, so that a signed 32-bit integer holds it. Symbols are
written from the last to the first, so that they can be read from the first to the last.

All these loops are in one file, because numba keeps compiled code as long as the file of a
function is the same, whatever it calls elsewhere.

Legend: N samples, C channels, M elements of a channel, G elements of a symbol, S symbols,
K contexts. How levels lie is told as (columns, bits, G).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import I64, U64, compiled
from isplit.codec.tables import STATES

Lie = tuple[int, int, int]
LOWEST, TOTAL, BELOW = U64(1 << 15), U64(1 << 14), U64((1 << 14) - 1)
WORD, AROUND = U64((1 << 16) - 1), U64(1 << 16)  # bounds go around at 2**16
_1, _2, _3, _4, _14, _15, _16, _17, _28, _31, _32 = (
    U64(k) for k in (1, 2, 3, 4, 14, 15, 16, 17, 28, 31, 32)
)


@compiled
def _context_of(
    line: NDArray[np.uint8], first: int, column: int, lie: Lie, context: NDArray[Any]
) -> Any:
    """Context of the group at ``first``: of the level before it and of those above it.

    What lies outside the channel, or in the group itself, is taken to be the level before; that
    of a row's first is the one above it, and of the channel's first it is 0.
    """
    columns, _, group = lie
    before = I64(line[first - 1]) if first else I64(0)
    if column == 0 and first >= columns:
        before = I64(line[first - columns])
    total = before * group
    if first + group <= columns:
        return I64(context[total + total])
    for i in range(first - columns, first - columns + group):
        total += I64(line[i]) if 0 <= i < first else before
    return I64(context[total])


@compiled
def _symbol_at(line: NDArray[np.uint8], first: int, lie: Lie, context: NDArray[Any]) -> Any:
    columns, bits, group = lie
    symbol = _context_of(line, first, first % columns, lie, context)
    for i in range(first, first + group):
        symbol = (symbol << bits) | (I64(line[i]) if i < line.size else I64(0))
    return symbol


@compiled
def symbols_of(
    levels: NDArray[np.uint8], lie: Lie, context: NDArray[Any], found: NDArray[Any]
) -> None:
    """Write context * S + symbol of every group of levels (C, M) into ``found`` (C, M / G)."""
    columns, bits, group = lie
    size, b, w, shift = levels.shape[1], U64(bits), U64(columns), U64(bits * group)
    whole = size // group if columns >= group != 3 else 0
    alone = min(columns // group, whole)  # symbols with nothing above
    inside = min(-(-columns // group), whole)  # from this one on no border is near
    step = columns  # between symbols that begin a row
    while step % group:
        step += columns
    for c in range(levels.shape[0]):
        line, row, before = levels[c], found[c], U64(0)
        for t in range(U64(alone)):  # written out because this is where the time goes
            symbol, i = U64(context[U64(2 * group) * before]), t * U64(group)
            for k in range(i, i + U64(group)):
                before = U64(line[k])
                symbol = symbol << b | before
            row[t] = symbol
        if group == 1:
            for i in range(U64(inside), U64(whole)):
                total = U64(line[i - _1]) + U64(line[i - w])
                row[i] = U64(context[total]) << b | U64(line[i])
        elif group == 2:
            for t in range(U64(inside), U64(whole)):
                i = t << _1
                u = i - w
                total = (U64(line[i - _1]) << _1) + U64(line[u]) + U64(line[u + _1])
                symbol = U64(line[i]) << b | U64(line[i + _1])
                row[t] = U64(context[total]) << shift | symbol
        elif group == 4:
            for t in range(U64(inside), U64(whole)):
                i = t << _2
                u = i - w
                total = (U64(line[i - _1]) << _2) + U64(line[u]) + U64(line[u + _1])
                total += U64(line[u + _2]) + U64(line[u + _3])
                symbol = (U64(line[i]) << b | U64(line[i + _1])) << b | U64(line[i + _2])
                row[t] = U64(context[total]) << shift | symbol << b | U64(line[i + _3])
        for t in range(alone, inside):
            row[t] = _symbol_at(line, t * group, lie, context)
        for first in range(U64(step), U64(whole * group), U64(step)):  # before is above
            total, t = U64(line[first - w]) * U64(group), first // U64(group)
            for k in range(first - w, first - w + U64(group)):
                total += U64(line[k])
            row[t] = U64(context[total]) << shift | U64(row[t]) & ((_1 << shift) - _1)
        for t in range(whole, found.shape[1]):
            row[t] = _symbol_at(line, t * group, lie, context)


@compiled
def _push(x: Any, entry: Any, words: NDArray[np.uint16], place: Any) -> tuple[Any, Any]:
    """State after one more symbol, and where the next word goes (downwards)."""
    part = ((entry >> _14) & BELOW) + _1
    words[place] = x & WORD
    full = U64(x >= part << _17)
    x = x >> (full << _4)
    ratio = (x * (entry >> _32)) >> (((entry >> _28) & _15) + _31)  # x // part
    return x + ratio * (TOTAL - part) + (entry & BELOW), place - full


@compiled
def write(
    levels: NDArray[np.uint8],
    lie: Lie,
    context: NDArray[np.uint8],
    entries: NDArray[np.uint64],
    states: int,
    words: NDArray[np.uint16],
) -> NDArray[np.uint64]:
    """Fill each row of ``words`` from its end; the place of the first word of each comes out.

    A table serves all samples before the next one is needed.
    """
    samples, c, size = levels.shape
    found = np.empty((STATES, -(-size // lie[2])), np.uint16)
    x = np.full((samples, STATES), LOWEST, np.uint64)
    places = np.full(samples, words.shape[1] - 1, np.uint64)
    while c:
        lanes = c % STATES or STATES
        c -= lanes
        e0, e1 = entries[c % len(entries)], entries[(c + 1) % len(entries)]
        e2, e3 = entries[(c + 2) % len(entries)], entries[(c + 3) % len(entries)]
        for n in range(samples):
            symbols_of(levels[n, c : c + lanes], lie, context, found)
            out, place, x0 = words[n], places[n], x[n, 0]
            if states == 1 or lanes < STATES:
                for lane in range(lanes - 1, -1, -1):
                    entry, row = entries[(c + lane) % len(entries)], found[lane]
                    for t in range(len(row) - 1, -1, -1):
                        x0, place = _push(x0, entry[row[t]], out, place)
            else:
                x1, x2, x3 = x[n, 1], x[n, 2], x[n, 3]
                for t in range(found.shape[1] - 1, -1, -1):
                    x3, place = _push(x3, e3[found[3, t]], out, place)
                    x2, place = _push(x2, e2[found[2, t]], out, place)
                    x1, place = _push(x1, e1[found[1, t]], out, place)
                    x0, place = _push(x0, e0[found[0, t]], out, place)
                x[n, 1], x[n, 2], x[n, 3] = x1, x2, x3
            x[n, 0], places[n] = x0, place
    for n in range(samples):
        for lane in range(states - 1, -1, -1):
            words[n, places[n]] = x[n, lane] & WORD
            words[n, places[n] - _1] = x[n, lane] >> _16
            places[n] -= _2
    return places + _1


@compiled
def _pull(x: Any, bounds: NDArray[np.uint16], row: int, span: int) -> tuple[int, Any]:
    """The symbol on top of a state, and the state without it (before it takes a word)."""
    slot, base = x & BELOW, U64(bounds[row])
    at, half = row, span >> 1
    while half:
        at += half * I64(((AROUND + U64(bounds[at + half]) - base) & WORD) <= slot)
        half >>= 1
    part = (AROUND + U64(bounds[at + 1]) - U64(bounds[at])) & WORD
    return at - row, part * (x >> _14) + slot - ((AROUND + U64(bounds[at]) - base) & WORD)


@compiled
def read(
    words: NDArray[np.uint16],
    bounds: NDArray[np.uint16],
    states: int,
    lie: Lie,
    context: NDArray[np.uint8],
    levels: NDArray[np.uint8],
) -> bool:
    """Fill ``levels`` (C, M); whether words and states end as the encoder began."""
    (channels, size), (columns, bits, group) = levels.shape, lie
    x = np.full(STATES, LOWEST, np.uint64)
    for lane in range(states):
        x[lane] = U64(words[2 * lane]) << _16 | U64(words[2 * lane + 1])
    place, c = 2 * states, 0
    while c < channels:
        lanes = states if c + states <= channels else 1
        for first in range(0, size, group):
            for lane in range(lanes):
                line, table = levels[c + lane], bounds[(c + lane) % len(bounds)]
                row = _context_of(line, first, first % columns, lie, context) << bits * group
                symbol, x[lane] = _pull(x[lane], table, row, 1 << bits * group)
                if x[lane] < LOWEST and place < words.size:
                    x[lane] = x[lane] << _16 | U64(words[place])
                    place += 1
                for i in range(min(first + group, size) - 1, first - 1, -1):
                    shift = bits * (first + group - 1 - i)
                    line[i] = (symbol >> shift) & ((1 << bits) - 1)
        c += lanes
    return place == words.size and bool((x == LOWEST).all())
