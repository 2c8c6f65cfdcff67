"""The codec for the smallest payload: levels by rANS, with tables both sides hold.

A calibrated profile has a table for every channel and context; a self-contained payload carries
one table for the whole tensor.

Range asymmetric numeral systems (Duda 2013) turn symbols into 16-bit words. Four states take
turns, one for each of four neighbouring channels; the channels that are left over, and all where
there is one state, use the first state alone. A state lies in 2**15 .. 2**31 - 1, so that a signed
32-bit integer holds it. Symbols are written from the last to the first, so that they can be read
from the first to the last.

Legend: N samples, C channels, T symbols of a channel.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec import contexts
from isplit.codec.compiled import U64, compiled
from isplit.codec.contexts import BELOW, LOWEST
from isplit.codec.form import Form
from isplit.codec.payload import PayloadError
from isplit.codec.prediction import NONE
from isplit.codec.symbols import symbols_of
from isplit.codec.tables import STATES, Tables, own_tables, read_tables

TOTAL, WORD = U64(1 << 14), U64((1 << 16) - 1)
_1, _2, _14, _16, _17, _45 = (U64(k) for k in (1, 2, 14, 16, 17, 45))


def pack(levels: NDArray[np.uint8], form: Form) -> list[bytes]:
    """Of levels (N, C, M): a table if both sides hold none, the states, and the words."""
    if not form.count:
        return [b""] * len(levels)
    if form.tables:
        return _coded(levels, form, form.tables)
    own = [own_tables(sample, form.bits) for sample in levels]
    samples = zip(levels[:, None], own, strict=True)
    return [tables.to_bytes() + _coded(sample, form, tables)[0] for sample, tables in samples]


def unpack(body: bytes, form: Form) -> NDArray[np.uint8]:
    """The levels (C, M) that :func:`pack` wrote.

    Raises:
        PayloadError: the table is none, or words and states do not end where they must.
    """
    levels = np.zeros(form.plane, np.uint8)
    if not form.count and not body:
        return levels
    tables, start = (form.tables, 0) if form.tables else read_tables(body, form.bits, form.count)
    states = tables.states
    if (len(body) - start) % 2 or len(body) - start < 4 * states or not form.count:
        raise PayloadError(f"{len(body) - start} bytes are no words of {states} states")
    words = np.frombuffer(body, "<u2", offset=start).astype(np.uint16)
    high, low = words[: 2 * states].reshape(-1, 2).astype(np.uint64).T
    known = (high << _16 | low, words[2 * states :], tables.bounds, tables.guesses)
    lie, by = (form.columns, form.bits, tables.group), (form.prediction or NONE).arrays
    if not contexts.read(*known, lie, tables.context, by, levels):
        raise PayloadError("the words do not end where the levels do")
    return levels


@compiled
def write(found: Any, entries: Any, parts: Any, states: int, words: Any) -> NDArray[np.uint64]:
    """Fill rows of ``words`` from their ends; the place of the first word of each comes out.

    Found are the symbols (N, C, T) as places in their channel's tables, entries and parts, which
    serve all samples before the next ones are needed.
    """
    samples, c, size = found.shape
    x = np.full((samples, STATES), LOWEST, np.uint64)
    places = np.full(samples, words.shape[1] - 1, np.uint64)
    while c:
        lanes = states if c % STATES == 0 else 1
        c -= lanes
        e0, e1 = entries[c % len(entries)], entries[(c + 1) % len(entries)]
        e2, e3 = entries[(c + 2) % len(entries)], entries[(c + 3) % len(entries)]
        p0, p1 = parts[c % len(parts)], parts[(c + 1) % len(parts)]
        p2, p3 = parts[(c + 2) % len(parts)], parts[(c + 3) % len(parts)]
        for n in range(samples):
            r0, out, place, x0 = found[n, c], words[n], places[n], x[n, 0]
            t = U64(size)
            if lanes == 1:
                while t:
                    t -= _1
                    x0, place = _push(x0, e0[r0[t]], p0[r0[t]], out, place)
            else:
                r1, r2, r3 = found[n, c + 1], found[n, c + 2], found[n, c + 3]
                x1, x2, x3 = x[n, 1], x[n, 2], x[n, 3]
                while t:
                    t -= _1
                    x3, place = _push(x3, e3[r3[t]], p3[r3[t]], out, place)
                    x2, place = _push(x2, e2[r2[t]], p2[r2[t]], out, place)
                    x1, place = _push(x1, e1[r1[t]], p1[r1[t]], out, place)
                    x0, place = _push(x0, e0[r0[t]], p0[r0[t]], out, place)
                x[n, 1], x[n, 2], x[n, 3] = x1, x2, x3
            x[n, 0], places[n] = x0, place
    for n in range(samples):
        for lane in range(states - 1, -1, -1):
            words[n, places[n]] = x[n, lane] & WORD
            words[n, places[n] - _1] = x[n, lane] >> _16
            places[n] -= _2
    first: NDArray[np.uint64] = places + _1
    return first


def _coded(levels: NDArray[np.uint8], form: Form, tables: Tables) -> list[bytes]:
    """States and words, which have 16 bits, lowest byte first."""
    by_sample = symbols_of(levels, form, tables.group, tables.context)
    words = np.empty((len(levels), by_sample[0].size + 2 * STATES + 1), np.uint16)
    known = (tables.entries, tables.parts.reshape(len(tables.parts), -1), tables.states)
    firsts = write(by_sample, *known, words).tolist()
    little = words.astype("<u2", copy=False)
    return [row[first:].tobytes() for row, first in zip(little, firsts, strict=True)]


@compiled
def _push(x: Any, entry: Any, part: Any, words: NDArray[np.uint16], place: Any) -> tuple[Any, Any]:
    """State after one more symbol, and where the next word goes (downwards)."""
    part = U64(part)
    words[place] = x & WORD
    full = x >= part << _17
    x = x >> _16 if full else x
    ratio = (x * (entry >> _14)) >> _45  # x // part
    return x + ratio * (TOTAL - part) + (entry & BELOW), place - U64(full)
