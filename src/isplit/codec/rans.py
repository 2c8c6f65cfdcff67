"""Range asymmetric numeral systems (Duda 2013), the encoder: symbols to 16-bit words.

Four states take turns, one for each of four neighbouring channels; the channels that are left
over, and all where there is one state, use the first state alone. A state lies in 2**15 ..
2**31 - 1, so that a signed 32-bit integer holds it. Symbols are written from the last to the
first, so that they can be read from the first to the last.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.compiled import I64, U64, compiled
from isplit.codec.tables import STATES

LOWEST, TOTAL, BELOW = U64(1 << 15), U64(1 << 14), U64((1 << 14) - 1)
WORD, AROUND = U64((1 << 16) - 1), U64(1 << 16)  # bounds go around at 2**16
_4, _16, _17 = U64(4), U64(16), U64(17)


@compiled
def _push(
    x: Any, bounds: NDArray[np.uint16], at: Any, words: NDArray[np.uint16], place: int
) -> tuple[Any, int]:
    """State after one more symbol, and where the next word goes (downwards)."""
    start = U64(bounds[at]) & BELOW
    part = (AROUND + U64(bounds[at + 1]) - U64(bounds[at])) & WORD
    words[place] = x & WORD
    full = U64(x >= part << _17)
    x = x >> (full << _4)
    ratio = U64(np.uint32(x) // np.uint32(part))
    return x + ratio * (TOTAL - part) + start, place - I64(full)


@compiled
def write(
    found: NDArray[np.uint16], bounds: NDArray[np.uint16], states: int, words: NDArray[np.uint16]
) -> int:
    """Fill ``words`` from its end; the place of the first one comes out."""
    channels, size, own = found.shape[0], found.shape[1], len(bounds)
    x0 = x1 = x2 = x3 = LOWEST
    place, c = words.size - 1, channels
    while c:
        if states == 1 or c % STATES:
            c -= 1
            for t in range(size - 1, -1, -1):
                x0, place = _push(x0, bounds[c % own], found[c, t], words, place)
        else:
            c -= STATES
            f0, f1, f2, f3 = found[c], found[c + 1], found[c + 2], found[c + 3]
            b0, b1 = bounds[c % own], bounds[(c + 1) % own]
            b2, b3 = bounds[(c + 2) % own], bounds[(c + 3) % own]
            for t in range(size - 1, -1, -1):
                x3, place = _push(x3, b3, f3[t], words, place)
                x2, place = _push(x2, b2, f2[t], words, place)
                x1, place = _push(x1, b1, f1[t], words, place)
                x0, place = _push(x0, b0, f0[t], words, place)
    for x in (x3, x2, x1, x0) if states > 1 else (x0, x0, x0, x0):  # one is cut off below
        words[place] = x & WORD
        words[place - 1] = x >> _16
        place -= 2
    return place + 1 if states > 1 else place + 7
