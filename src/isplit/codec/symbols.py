"""All symbols of a tensor in their contexts at once, for the encoder and for calibration.

What a symbol and its context are is said in :mod:`isplit.codec.contexts`; so is the legend.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from isplit.codec import contexts
from isplit.codec.compiled import U64, compiled
from isplit.codec.contexts import Lie

_BLOCK = 1 << 12  # levels whose contexts are found at once: what that takes stays in the L1 cache


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
        contexts.put_right(levels, across, lie, context, found)


@lru_cache(maxsize=4)
def _borders(lines: int, size: int, columns: int, group: int) -> tuple[Any, Any]:
    """Masks of all elements, and which groups of a channel :func:`put_right` is for.

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
