"""Levels as symbols in their contexts, and back: the decoder, which meets them as it goes.

A symbol is G neighbouring levels of a channel, the first in the highest bits; its context says
what stands before and above it. All loops that share this are in one file, because numba keeps
compiled code as long as the file of a function is the same, whatever it calls elsewhere.

Legend: C channels, M elements of a channel, G elements of a symbol, S symbols, K contexts. How
levels lie is told as (columns, bits, G).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import I64, U64, compiled
from isplit.codec.tables import STATES

Lie = tuple[int, int, int]
LOWEST, BELOW = U64(1 << 15), U64((1 << 14) - 1)  # of a state; of its slot
WORD, AROUND = U64((1 << 16) - 1), U64(1 << 16)  # bounds go around at 2**16
_1, _2, _4, _14, _16 = (U64(k) for k in (1, 2, 4, 14, 16))


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
def _inside(line: Any, first: Any, columns: Any, bits: Any, group: Any, context: Any) -> Any:
    """As :func:`_symbol_at`, where no border is near; a constant ``group`` unrolls the loop."""
    total, symbol = U64(line[first - _1]) * group, U64(0)
    for i in range(first, first + group):
        total += U64(line[i - columns])
        symbol = symbol << bits | U64(line[i])
    return U64(context[total]) << bits * group | symbol


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
    step = np.lcm(columns, group)  # between symbols that begin a row
    for c in range(levels.shape[0]):
        line, row, before = levels[c], found[c], U64(0)
        for t in range(U64(alone)):  # written out because this is where the time goes
            symbol, i = U64(context[U64(2 * group) * before]), t * U64(group)
            for k in range(i, i + U64(group)):
                before = U64(line[k])
                symbol = symbol << b | before
            row[t] = symbol
        if group == 1:
            for t in range(U64(inside), U64(whole)):
                row[t] = _inside(line, t, w, b, _1, context)
        elif group == 2:
            for t in range(U64(inside), U64(whole)):
                row[t] = _inside(line, t << _1, w, b, _2, context)
        elif group == 4:
            for t in range(U64(inside), U64(whole)):
                row[t] = _inside(line, t << _2, w, b, _4, context)
        for first in range(U64(step), U64(whole * group), U64(step)):  # before is above
            total, t = U64(line[first - w]) * U64(group), first // U64(group)
            for k in range(first - w, first - w + U64(group)):
                total += U64(line[k])
            row[t] = U64(context[total]) << shift | U64(row[t]) & ((_1 << shift) - _1)
        for t in range(alone, found.shape[1]):
            if t < inside or t >= whole:
                row[t] = _symbol_at(line, t * group, lie, context)


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
