"""A group of levels as a symbol in its context, and back: the decoder, which meets them as it goes.

A symbol is G neighbouring levels of a channel, the first in the highest bits; its context says
what stands before and above it. All loops that share this are in one file, because numba keeps
compiled code as long as the file of a function is the same, whatever it calls elsewhere.

Legend: C channels, M elements of a channel, G elements of a symbol, S symbols, K contexts. How
levels lie is told as (columns, bits, G).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import U64, compiled
from isplit.codec.tables import GUESS_BITS, STATES

Lie = tuple[int, int, int]
LOWEST, BELOW = U64(1 << 15), U64((1 << 14) - 1)  # of a state; of its slot
WORD = U64((1 << 16) - 1)
_14, _16, _GUESS = U64(14), U64(16), U64(GUESS_BITS)


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


@compiled
def put_right(levels: Any, across: Any, lie: Lie, context: Any, found: Any) -> None:
    """Write context * S + symbol of these groups of each channel, one by one."""
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
