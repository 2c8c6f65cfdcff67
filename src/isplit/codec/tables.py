"""Probabilities of levels as integers, which decide every bit that the coder writes.

Legend: N samples, C channels, M elements of a channel, G elements of a symbol, S symbols,
K contexts.

A symbol is G neighbouring levels of a channel; its context is a class of the levels before and
above it. Probabilities are parts of 2**14.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isplit.codec.payload import PayloadError, read_varints, varints

TOTAL = 1 << 14
STATES = 4
GUESS_BITS = 7
_MANY = 2048
"""Levels from which a self-contained payload has four states."""


@dataclass(frozen=True)
class Tables:
    """Integer probabilities of the symbols in each channel and context.

    Attributes:
        parts: uint16 (C or 1, K, S), each row in sum 2**14; a symbol of no part cannot be coded.
        context: uint8, the context of each sum of neighbours: before * G + all above.
        bits: of a level.
        group: G.
        states: of the coder: 1, or 4, which are faster and cost nine bytes more.
    """

    parts: NDArray[np.uint16]
    context: NDArray[np.uint8]
    bits: int
    group: int
    states: int

    def __post_init__(self) -> None:
        symbols, sums = 1 << self.bits * self.group, context_sums(self.bits, self.group)
        right = self.parts.ndim == 3 and self.parts.shape[2] == symbols
        if not right or (self.parts.sum(2, dtype=np.int64) != TOTAL).any():
            raise ValueError(f"tables are not (channels, contexts, {symbols}) parts of {TOTAL}")
        if self.states not in (1, STATES):
            raise ValueError(f"tables for {self.states} states; there are 1 or {STATES}")
        if self.context.shape != (sums,) or self.context.max() >= self.parts.shape[1]:
            raise ValueError(f"context is not {sums} numbers below {self.parts.shape[1]}")

    @cached_property
    def bounds(self) -> NDArray[np.uint16]:
        """Where the parts of each context begin, and their end: (C or 1, K * (S + 1))."""
        ends = np.pad(self.parts.cumsum(2, dtype=np.uint16), ((0, 0), (0, 0), (1, 0)))
        return ends.reshape(len(ends), -1)

    @cached_property
    def guesses(self) -> NDArray[np.uint16]:
        """The symbol at every 128th slot, from where a decoder looks on: (C or 1, K, 128)."""
        channels, contexts, symbols = self.parts.shape
        row = np.arange(channels * contexts)[:, None]
        ends = self.parts.reshape(-1, symbols).cumsum(1) + row * TOTAL
        slots = np.arange(0, TOTAL, 1 << GUESS_BITS) + row * TOTAL
        found = np.searchsorted(ends.reshape(-1), slots, side="right") - row * symbols
        guesses: NDArray[np.uint16] = found.astype(np.uint16).reshape(channels, contexts, -1)
        return guesses

    @cached_property
    def entries(self) -> NDArray[np.uint64]:
        """What the encoder needs of each symbol beside its part, (C or 1, K * S).

        Bits 0-13: where its part begins. From 14 on: 2**45 / part, rounded up; ``x * that >> 45``
        is x // part for x < 2**31, and the product has at most 63 bits for x < part * 2**17.
        """
        parts = self.parts.astype(np.uint64)
        starts, parts = (parts.cumsum(2) - parts) % TOTAL, np.maximum(parts, 1)
        words = ((1 << 45) + parts - 1) // parts << 14 | starts
        return words.reshape(len(parts), -1).astype(np.uint64)

    def to_bytes(self) -> bytes:
        """The parts of tables of one channel and one context, as they travel."""
        return varints(self.parts.reshape(-1).tolist())


def context_sums(bits: int, group: int) -> int:
    """How many sums of neighbours there are."""
    return 2 * group * ((1 << bits) - 1) + 1


def own_tables(levels: NDArray[np.uint8], bits: int) -> Tables:
    """Tables of one channel and one context, from the levels that they will code."""
    counts = np.bincount(levels.reshape(-1), minlength=1 << bits)
    return _plain(to_parts(counts, counts > 0), bits, levels.size)


def read_tables(content: bytes, bits: int, count: int) -> tuple[Tables, int]:
    """Tables of so many levels that :meth:`Tables.to_bytes` wrote, and where they end.

    Raises:
        PayloadError: they are cut off or no probabilities.
    """
    parts, end = read_varints(content, 0, 1 << bits)
    if sum(parts) != TOTAL:
        raise PayloadError(f"the parts of a table are {sum(parts)} in sum, not {TOTAL}")
    return _plain(np.array(parts), bits, count), end


def to_parts(weights: NDArray[np.generic], possible: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Parts of 2**14 in the ratio of the weights (.., S); what is possible gets at least one.

    What rounding leaves goes to the symbol of the highest weight.
    """
    free = TOTAL - possible.sum(-1, keepdims=True)
    whole = np.maximum(weights.sum(-1, keepdims=True), 1e-300)
    parts = possible + np.floor(weights / whole * free).astype(np.int64)
    largest = weights.argmax(-1)[..., None]
    rest = TOTAL - parts.sum(-1, keepdims=True)
    np.put_along_axis(parts, largest, np.take_along_axis(parts, largest, -1) + rest, -1)
    rounded: NDArray[np.uint16] = parts.astype(np.uint16)
    return rounded


def _plain(parts: NDArray[np.generic], bits: int, count: int) -> Tables:
    context = np.zeros(context_sums(bits, 1), np.uint8)
    states = STATES if count >= _MANY else 1
    return Tables(parts.astype(np.uint16)[None, None], context, bits, 1, states)
