"""The codec for the smallest payload: levels by rANS, with tables both sides hold.

A calibrated profile has a table for every channel and context; a self-contained payload carries
one table for the whole tensor.
"""

import numpy as np
from numpy.typing import NDArray

from isplit.codec import contexts, rans
from isplit.codec.form import Form
from isplit.codec.payload import PayloadError
from isplit.codec.tables import STATES, Tables, own_tables, read_tables


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
    lie = (form.columns, form.bits, tables.group)
    if not contexts.read(words, tables.bounds, states, lie, tables.context, levels):
        raise PayloadError("the words do not end where the levels do")
    return levels


def _coded(levels: NDArray[np.uint8], form: Form, tables: Tables) -> list[bytes]:
    """States and words, which have 16 bits, lowest byte first."""
    lines, lie = levels.reshape(-1, form.plane[1]), (form.columns, form.bits, tables.group)
    found = np.empty((len(lines), -(-form.plane[1] // tables.group)), np.uint16)
    contexts.symbols_of(lines, lie, tables.context, found)
    by_sample = found.reshape(len(levels), form.channels, -1)
    words = np.empty((len(levels), by_sample[0].size + 2 * STATES + 1), np.uint16)
    firsts = rans.write(by_sample, tables.entries, tables.states, words).tolist()
    little = words.astype("<u2", copy=False)
    return [row[first:].tobytes() for row, first in zip(little, firsts, strict=True)]
