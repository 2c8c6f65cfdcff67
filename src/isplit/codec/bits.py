"""Levels in so many bits each, one after the other, highest bit first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isplit.codec.form import Form
from isplit.codec.payload import PayloadError

_EIGHT = 8


def pack(levels: NDArray[np.uint8], form: Form) -> bytes:
    """All levels in ``form.bits`` bits each; the last byte ends in zeros.

    >>> pack(np.array([[3, 4, 7]], np.uint8), Form((1, 3), bits=3)).hex()
    '7380'
    """
    eights = np.zeros((-(-levels.size // _EIGHT), _EIGHT), np.uint8)
    eights.reshape(-1)[: levels.size] = levels.reshape(-1)
    words = np.zeros(len(eights), ">u8")
    for place in range(_EIGHT):
        words |= eights[:, place].astype(np.uint64) << np.uint64(64 - form.bits * (place + 1))
    packed = words.view(np.uint8).reshape(-1, _EIGHT)[:, : form.bits]
    return packed.tobytes()[: form.packed_bytes]


def unpack(body: bytes, form: Form) -> NDArray[np.uint8]:
    """The levels (C, M) that :func:`pack` wrote.

    Raises:
        PayloadError: the length is not that of so many levels.
    """
    if len(body) != form.packed_bytes:
        raise PayloadError(f"{len(body)} bytes of packed levels, not {form.packed_bytes}")
    padded = np.zeros((-(-form.count // _EIGHT), _EIGHT), np.uint8)
    used = np.zeros(len(padded) * form.bits, np.uint8)
    used[: len(body)] = np.frombuffer(body, np.uint8)
    padded[:, : form.bits] = used.reshape(-1, form.bits)
    words = padded.view(">u8").reshape(-1).astype(np.uint64)
    mask = np.uint64((1 << form.bits) - 1)
    for place in range(_EIGHT):
        padded[:, place] = words >> np.uint64(64 - form.bits * (place + 1)) & mask
    return padded.reshape(-1)[: form.count].reshape(form.plane)
