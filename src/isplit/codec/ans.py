"""The codec for the smallest payload: levels by rANS, with tables both sides hold.

A calibrated profile has a table for every channel and context; a self-contained payload carries
one table for the whole tensor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isplit.codec import contexts, rans
from isplit.codec.form import Form
from isplit.codec.payload import PayloadError
from isplit.codec.tables import STATES, Tables, own_tables, read_tables


def pack(levels: NDArray[np.uint8], form: Form) -> bytes:
    """A table if both sides hold none, the states, and the words: 16 bits, lowest byte first."""
    if not form.count:
        return b""
    tables = form.tables or own_tables(levels, form.bits)
    head = b"" if form.tables else tables.to_bytes()
    found = symbols(levels, form, tables)
    words = np.empty(found.size + 2 * STATES + 1, np.uint16)
    first = rans.write(found, tables.bounds, tables.states, words)
    return head + words[first:].astype("<u2").tobytes()


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
    lie = (form.columns, form.bits, tables.group)
    if not contexts.read(words, tables.bounds, states, lie, tables.context, levels):
        raise PayloadError("the words do not end where the levels do")
    return levels


def symbols(levels: NDArray[np.uint8], form: Form, tables: Tables) -> NDArray[np.uint16]:
    """Context * S + symbol of every group of levels: (C, M / G)."""
    found = np.empty((form.channels, -(-form.plane[1] // tables.group)), np.uint16)
    contexts.symbols_of(levels, (form.columns, form.bits, tables.group), tables.context, found)
    return found
