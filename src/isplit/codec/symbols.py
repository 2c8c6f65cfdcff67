"""Groups of neighbouring levels as one symbol each, and the context that they stand in.

Legend: C channels, M elements of a channel, G elements of a symbol, S symbols, K contexts. How
levels lie is told as (columns, bits, G).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import I64, compiled

Lie = tuple[int, int, int]


@compiled
def context_of(line: NDArray[np.uint8], first: int, lie: Lie, context: NDArray[Any]) -> Any:
    """Context of the group at ``first``: of the level before it and those above it."""
    columns, _, group = lie
    before = I64(line[first - 1]) if first else I64(0)
    if first >= columns and first % columns == 0:
        before = I64(line[first - columns])
    total = before * group
    for i in range(first - columns, first - columns + group):
        total += I64(line[i]) if 0 <= i < first else before
    return I64(context[total])


@compiled
def symbols_of(
    levels: NDArray[np.uint8], lie: Lie, context: NDArray[Any], found: NDArray[Any]
) -> None:
    """Write context * S + symbol of every group of levels (C, M) into ``found`` (C, M / G)."""
    columns, bits, group = lie
    size = levels.shape[1]
    inside = columns if columns >= group != 3 else size  # from here on no border is near
    for c in range(levels.shape[0]):
        line, column = levels[c], 0
        for t in range(found.shape[1]):
            first = t * group
            if first < inside or first + group > size:
                symbol = context_of(line, first, lie, context)
                for i in range(first, first + group):
                    symbol = (symbol << bits) | (I64(line[i]) if i < size else I64(0))
            else:  # the same, written out because this is where the time goes
                up = first - columns
                total = group * I64(line[first - 1 if column else up]) + I64(line[up])
                symbol = I64(line[first])
                if group > 1:
                    total += I64(line[up + 1])
                    symbol = symbol << bits | I64(line[first + 1])
                if group > 2:
                    total += I64(line[up + 2]) + I64(line[up + 3])
                    symbol = symbol << bits | I64(line[first + 2])
                    symbol = symbol << bits | I64(line[first + 3])
                symbol |= I64(context[total]) << bits * group
            found[c, t] = symbol
            column = column + group if column + group < columns else column + group - columns
