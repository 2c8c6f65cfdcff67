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

from isplit.codec.compiled import U64, compiled
from isplit.codec.tables import GUESS_BITS, STATES

Lie = tuple[int, int, int]
LOWEST, BELOW = U64(1 << 15), U64((1 << 14) - 1)  # of a state; of its slot
WORD = U64((1 << 16) - 1)
_14, _16, _GUESS = U64(14), U64(16), U64(GUESS_BITS)
_BLOCK = 1 << 12  # levels whose contexts are found at once: what that takes stays in the L1 cache


@compiled
def _context_of(flat: Any, start: Any, first: Any, column: Any, lie: Lie, context: Any) -> Any:
    """Context of the group at ``first`` of the channel that begins at ``start``.

    It is of the level before it and of those above it. What lies outside the channel, or in the
    group itself, is taken to be the level before; that of a row's first is the one above it, and
    of the channel's first it is 0.
    """
    columns, _, group = lie
    if not first:
        return U64(context[0])
    at = U64(start + first)
    before = U64(flat[at - (U64(1) if column or first < columns else U64(columns))])
    total = before * U64(group)
    if columns >= group and first >= columns:
        for i in range(U64(group)):
            total += U64(flat[at - U64(columns) + i])
        return U64(context[total])
    for i in range(first - columns, first - columns + group):
        total += U64(flat[start + i]) if 0 <= i < first else before
    return U64(context[total])


@compiled
def _symbol_at(line: NDArray[np.uint8], first: int, lie: Lie, context: NDArray[Any]) -> Any:
    columns, bits, group = lie
    symbol = _context_of(line, 0, first, first % columns, lie, context)
    for i in range(first, first + group):
        symbol = (symbol << U64(bits)) | (U64(line[i]) if i < line.size else U64(0))
    return symbol


def symbols_of(levels: Any, lie: Lie, context: Any, found: Any) -> None:
    """Write context * S + symbol of every group of levels (C, M) into ``found`` (C, M / G).

    All channels are one line, and what a group would need is computed at every element, without a
    branch: vector instructions do that in less time than one by one. The few groups that are not
    in one row are put right afterwards.
    """
    (channels, size), (columns, bits, group) = levels.shape, lie
    some = 1 if size % group else min(channels, max(1, _BLOCK // max(1, size)))
    masks, across = _borders(some, size, columns, group)
    spare = np.zeros((4, max(1, some * size)), np.uint8)
    totals = np.zeros(spare.shape[1], np.uint16 if bits == 8 else np.uint8)  # of 8 bits up to 510
    rows = context.astype(np.uint32) << np.uint32(bits * group)
    _find(levels.reshape(-1), masks, lie, rows, spare, totals, found.reshape(-1))
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
def _find(
    levels: Any, masks: Any, lie: Lie, rows: Any, spare: Any, totals: Any, found: Any
) -> None:
    """Block after block, each of whole channels, so that what is made on the way stays near."""
    columns, bits, group = lie
    done = U64(0)
    for start in range(0, levels.size, totals.size):
        flat = sums = symbols = levels[start : start + totals.size]
        if group > 1:
            _join(sums, symbols, 1, 1 << bits, spare[0], spare[1])
            sums, symbols = spare[0], spare[1]
        if group > 3:
            _join(sums, symbols, 2, 1 << 2 * bits, spare[2], spare[3])
            sums, symbols = spare[2], spare[3]
        _add(flat, sums, masks, columns, totals.dtype.type(group), totals[: flat.size])
        for i in range(U64(0), U64(flat.size), U64(group)):
            found[done] = rows[totals[i]] | U64(symbols[i])
            done += U64(1)


@compiled
def _put_right(levels: Any, across: Any, lie: Lie, context: Any, found: Any) -> None:
    for c in range(len(levels)):
        for t in across:
            found[c, t] = _symbol_at(levels[c], t * lie[2], lie, context)


@compiled
def read(
    words: Any, bounds: Any, guesses: Any, states: int, lie: Lie, context: Any, levels: Any
) -> bool:
    """Fill ``levels`` (C, M); whether words and states end as the encoder began."""
    (channels, size), (columns, bits, group) = levels.shape, lie
    flat, mask, span = levels.reshape(-1), U64((1 << bits) - 1), U64((1 << bits * group) + 1)
    x = np.full(STATES, LOWEST, np.uint64)
    for lane in range(states):
        x[lane] = U64(words[2 * lane]) << _16 | U64(words[2 * lane + 1])
    place, c = U64(2 * states), 0
    while c < channels:
        lanes, column = states if c + states <= channels else 1, 0
        for first in range(0, size, group):
            for lane in range(lanes):
                start, table = (c + lane) * size, (c + lane) % len(bounds)
                row = _context_of(flat, start, first, column, lie, context)
                state, limits = x[lane], bounds[table]
                slot, at = state & BELOW, row * span
                symbol = U64(guesses[table, row, slot >> _GUESS])
                while U64(limits[at + symbol + U64(1)]) <= slot:
                    symbol += U64(1)
                lowest = U64(limits[at + symbol])
                part = U64(limits[at + symbol + U64(1)]) - lowest
                state = part * (state >> _14) + slot - lowest
                if state < LOWEST and place < U64(words.size):
                    state = state << _16 | U64(words[place])
                    place += U64(1)
                x[lane] = state
                for i in range(group - 1, -1, -1):
                    if first + i < size:
                        flat[U64(start + first + i)] = symbol & mask
                    symbol >>= U64(bits)
            column += group
            while column >= columns:
                column -= columns
        c += lanes
    return place == U64(words.size) and bool((x == LOWEST).all())
