"""Range asymmetric numeral systems (Duda 2013), the encoder: symbols to 16-bit words.

Four states take turns, one for each of four neighbouring channels; the channels that are left
over, and all where there is one state, use the first state alone. A state lies in 2**15 ..
2**31 - 1, so that a signed 32-bit integer holds it. Symbols are written from the last to the
first, so that they can be read from the first to the last.

Legend: N samples, C channels, T symbols of a channel.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import U64, compiled
from isplit.codec.tables import STATES

LOWEST, TOTAL, BELOW = U64(1 << 15), U64(1 << 14), U64((1 << 14) - 1)
WORD, AROUND = U64((1 << 16) - 1), U64(1 << 16)  # bounds go around at 2**16
_1, _2, _4, _14, _15, _16, _17, _28, _31, _32 = (
    U64(k) for k in (1, 2, 4, 14, 15, 16, 17, 28, 31, 32)
)


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
    found: NDArray[np.uint16],
    entries: NDArray[np.uint64],
    states: int,
    words: NDArray[np.uint16],
) -> NDArray[np.uint64]:
    """Fill rows of ``words`` from their ends; the place of the first word of each comes out.

    Found are the symbols (N, C, T) as entries of their channel's table, which serves all samples
    before the next one is needed.
    """
    samples, c, size = found.shape
    x = np.full((samples, STATES), LOWEST, np.uint64)
    places = np.full(samples, words.shape[1] - 1, np.uint64)
    while c:
        lanes = c % STATES or STATES
        c -= lanes
        e0, e1 = entries[c % len(entries)], entries[(c + 1) % len(entries)]
        e2, e3 = entries[(c + 2) % len(entries)], entries[(c + 3) % len(entries)]
        for n in range(samples):
            rows, out, place, x0 = found[n, c : c + lanes], words[n], places[n], x[n, 0]
            if states == 1 or lanes < STATES:
                for lane in range(lanes - 1, -1, -1):
                    entry, row = entries[(c + lane) % len(entries)], rows[lane]
                    for t in range(size - 1, -1, -1):
                        x0, place = _push(x0, entry[row[t]], out, place)
            else:
                x1, x2, x3 = x[n, 1], x[n, 2], x[n, 3]
                for t in range(size - 1, -1, -1):
                    x3, place = _push(x3, e3[rows[3, t]], out, place)
                    x2, place = _push(x2, e2[rows[2, t]], out, place)
                    x1, place = _push(x1, e1[rows[1, t]], out, place)
                    x0, place = _push(x0, e0[rows[0, t]], out, place)
                x[n, 1], x[n, 2], x[n, 3] = x1, x2, x3
            x[n, 0], places[n] = x0, place
    for n in range(samples):
        for lane in range(states - 1, -1, -1):
            words[n, places[n]] = x[n, lane] & WORD
            words[n, places[n] - _1] = x[n, lane] >> _16
            places[n] -= _2
    first: NDArray[np.uint64] = places + _1
    return first
