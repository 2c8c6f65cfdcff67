"""Levels as symbols in their contexts, and back: the decoder, which meets them as it goes.

A symbol is G neighbouring levels of a channel, the first in the highest bits; its context says
what stands before and above it. All loops that share this are in one file, because numba keeps
compiled code as long as the file of a function is the same, whatever it calls elsewhere.

Legend: C channels, M elements of a channel, G elements of a symbol, S symbols, K contexts. How
levels lie is told as (columns, bits, G).
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import I64, U64, compiled
from isplit.codec.tables import STATES

Lie = tuple[int, int, int]
LOWEST, BELOW = U64(1 << 15), U64((1 << 14) - 1)  # of a state; of its slot
WORD, AROUND = U64((1 << 16) - 1), U64(1 << 16)  # bounds go around at 2**16
_14, _16 = U64(14), U64(16)


@compiled
def _context_of(line: Any, first: int, column: int, lie: Lie, context: Any) -> Any:
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


def symbols_of(levels: Any, lie: Lie, context: Any, found: Any) -> None:
    """Write context * S + symbol of every group of levels (C, M) into ``found`` (C, M / G).

    All channels are one line, and what a group would need is computed at every element, without a
    branch: vector instructions do that in less time than one by one. The few groups that are not
    in one row are put right afterwards.
    """
    columns, bits, group = lie
    flat = sums = symbols = levels.reshape(-1)
    for step in (1, 2)[: group.bit_length() - 1]:
        before = sums, symbols
        sums, symbols = np.zeros_like(flat), np.zeros_like(flat)
        _join(*before, step, 1 << bits * step, sums, symbols)
    totals = np.zeros(flat.size, np.uint16 if bits == 8 else np.uint8)  # of 8 bits up to 510
    masks, across = _borders(*levels.shape, columns, group)
    _add(flat, sums, masks, columns, totals.dtype.type(group), totals)
    rows = found if levels.shape[1] % group else found.reshape(1, -1)  # one long loop
    _look_up(totals, symbols, lie, context, rows)
    if across.size:
        _put_right(levels, across, lie, context, found)


@lru_cache(maxsize=4)
def _borders(lines: int, size: int, columns: int, group: int) -> tuple[Any, Any]:
    """Masks of all elements, and which groups of a channel need :func:`_symbol_at`.

    A mask has 255 where before is the left element; where it is the upper one; where there is one
    above.
    """
    i, firsts = np.arange(size), np.arange(0, size, group)
    upper, row = (i >= columns) & (i % columns == 0), firsts + group
    masks = np.array([~upper & (i > 0), upper, i >= columns])
    across = (firsts < columns) & (row > columns) | (row > size) | (columns < group) | (group == 3)
    return np.tile(masks, lines).astype(np.uint8) * np.uint8(255), np.flatnonzero(across)


@compiled
def _join(sums: Any, symbols: Any, step: int, shift: int, joined: Any, long: Any) -> None:
    """Sum of an element and the one ``step`` further on, and the symbol of both."""
    others, ends, factor = sums[step:], symbols[step:], np.uint8(shift)
    for i in range(others.size):
        joined[i] = sums[i] + others[i]
        long[i] = symbols[i] * factor + ends[i]


@compiled
def _add(flat: Any, sums: Any, masks: Any, columns: int, group: Any, totals: Any) -> None:
    """Sums of neighbours at every element: G * before + what is above."""
    for i in range(1, min(columns, flat.size)):
        totals[i] = 2 * group * (flat[i - 1] & masks[0, i])
    here, lefts, is_left = totals[columns:], flat[columns - 1 :], masks[0, columns:]
    is_upper, is_below = masks[1, columns:], masks[2, columns:]
    for i in range(here.size):
        before = group * ((lefts[i] & is_left[i]) | (flat[i] & is_upper[i]))
        here[i] = before + ((sums[i] & is_below[i]) | (before & ~is_below[i]))


@compiled
def _look_up(totals: Any, symbols: Any, lie: Lie, context: Any, rows: Any) -> None:
    """What is at the first element of each group, as it is written."""
    shift, group = U64(lie[1] * lie[2]), U64(lie[2])
    for c in range(len(rows)):
        row, i = rows[c], U64(c * (totals.size // len(rows)))
        for t in range(U64(0), U64(row.size)):
            row[t] = U64(context[totals[i]]) << shift | U64(symbols[i])
            i += group


@compiled
def _put_right(levels: Any, across: Any, lie: Lie, context: Any, found: Any) -> None:
    for c in range(len(levels)):
        for t in across:
            found[c, t] = _symbol_at(levels[c], t * lie[2], lie, context)


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
def read(words: Any, bounds: Any, states: int, lie: Lie, context: Any, levels: Any) -> bool:
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
