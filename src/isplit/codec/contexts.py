"""Levels in their contexts, and back from symbols: the decoder, which meets them as it goes.

A symbol is G neighbouring levels of a channel, the first in the highest bits; its context says
what stands before and above it, or what is predicted of it. All loops that share this are in one
file, because numba keeps compiled code as long as the file of a function is the same, whatever it
calls elsewhere.

Legend: N samples, C channels, M elements of a channel, G elements of a symbol, S symbols,
K contexts, R sources. How levels lie is told as (columns, bits, G).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import I64, U64, compiled
from isplit.codec.prediction import SHIFT, By
from isplit.codec.tables import GUESS_BITS, STATES

Lie = tuple[int, int, int]
LOWEST, BELOW = U64(1 << 15), U64((1 << 14) - 1)  # of a state; of its slot
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
    """Write the symbols of some groups of each channel, one by one."""
    for c in range(len(levels)):
        for t in across:
            found[c, t] = _symbol_at(levels[c], t * lie[2], lie, context)


@compiled
def predicted(levels: Any, by: By, lie: Lie, contexts: int, found: Any) -> None:
    """Write context * S + level of all levels (N, C, M) into ``found``."""
    (samples, channels, size), (columns, bits, _) = levels.shape, lie
    sources, weights, offsets = by
    totals = np.zeros(size, np.int32)
    for n in range(samples):
        for c in range(channels):
            line, left, above = levels[n, c], weights[c, 0], weights[c, 1]
            _add_sources(levels[n], sources[c], weights[c], offsets[c], totals)
            for t in range(columns, size):
                totals[t] += I64(above) * I64(line[t - columns])
            for start in range(0, size, columns):
                for t in range(start + 1, min(start + columns, size)):
                    totals[t] += I64(left) * I64(line[t - 1])
            for t in range(size):
                row = min(max(I64(totals[t]) >> SHIFT, 0), contexts - 1)
                found[n, c, t] = U64(row) << U64(bits) | U64(line[t])


@compiled
def _add_sources(levels: Any, sources: Any, weights: Any, offset: Any, totals: Any) -> None:
    """What a channel's sources, which are whole, say of each of its levels, (M,)."""
    totals[:] = offset
    for i in range(sources.size):
        line, weight = levels[sources[i]], I64(weights[i + 2])
        if weight:
            for t in range(totals.size):
                totals[t] += weight * I64(line[t])


@compiled
def _put(flat: Any, start: Any, first: Any, size: Any, lie: Lie, symbol: Any) -> None:
    """Write the levels of a symbol; what lies outside the channel is left out."""
    _, bits, group = lie
    mask = U64((1 << bits) - 1)
    for i in range(group - 1, -1, -1):
        if first + i < size:
            flat[U64(start + first + i)] = symbol & mask
        symbol >>= U64(bits)


@compiled
def read(
    x: Any, words: Any, bounds: Any, guesses: Any, lie: Lie, context: Any, by: By, levels: Any
) -> bool:
    """Fill ``levels`` (C, M); whether words and the states ``x`` end as the encoder began.

    Where there are no weights, the context is of the neighbours, else of the prediction.
    """
    (channels, size), (columns, bits, group), (sources, weights, offsets) = levels.shape, lie, by
    flat, span = levels.reshape(-1), U64((1 << bits * group) + 1)
    states, place, c, highest = x.size, U64(0), 0, guesses.shape[1] - 1
    totals = np.zeros((STATES, size if weights.size else 0), np.int32)
    while c < channels:
        lanes = states if c + states <= channels else 1
        for lane in range(lanes if weights.size else 0):
            k = c + lane
            _add_sources(levels, sources[k], weights[k], offsets[k], totals[lane])
        for first in range(0, size, group):
            column = first % columns
            for lane in range(lanes):
                start, table = (c + lane) * size, (c + lane) % len(bounds)
                if weights.size:
                    at, total = U64(start + first), I64(totals[lane, first])
                    if column:
                        total += I64(weights[c + lane, 0]) * I64(flat[at - U64(1)])
                    if first >= columns:
                        total += I64(weights[c + lane, 1]) * I64(flat[at - U64(columns)])
                    row = U64(min(max(total >> SHIFT, 0), highest))
                else:
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
                _put(flat, start, first, size, lie, symbol)
        c += lanes
    return place == U64(words.size) and bool((x == LOWEST).all())
