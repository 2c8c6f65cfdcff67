"""Links whose rate changes, from files in mahimahi's format."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from pathlib import Path

import numpy as np

OPPORTUNITY_BYTES = 1500
SAME_S = 1e-9  # times that differ by rounding alone


@lru_cache(maxsize=16)
def read_trace(path: str) -> tuple[float, ...]:
    """Seconds at which a link can carry up to 1500 bytes; the last one is the period of the trace.

    A line is a whole number of milliseconds; several equal lines are several opportunities.

    Raises:
        ValueError: a missing file, a line that is no number, times that go back, or a trace
            that lasts no time.
    """
    try:
        lines = Path(path).read_text(encoding="ascii").split()
        times_ms = [int(line) for line in lines]
    except (OSError, ValueError) as error:
        raise ValueError(
            f"trace {path}: not a file of whole milliseconds, one a line: {error}"
        ) from error
    if not times_ms or times_ms[-1] <= 0 or times_ms[0] < 0 or np.any(np.diff(times_ms) < 0):
        raise ValueError(f"trace {path}: milliseconds must not go back and must end above 0")
    return tuple(ms / 1000 for ms in times_ms)


class Opportunities:
    """The opportunities of a trace, used up in order, the trace repeating for ever."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.index = -1
        self.left_bytes = 0

    @property
    def times_s(self) -> tuple[float, ...]:
        """Of the trace; read once for all that follow it."""
        return read_trace(self.path)

    def carry(self, now_s: float, packet_bytes: int) -> float:
        """Seconds at which the last byte of a packet that is ready now has left."""
        if self._time(self.index) < now_s - SAME_S:  # what nobody used is gone
            rounds, rest_s = divmod(now_s - SAME_S, self.times_s[-1])
            self.index = int(rounds) * len(self.times_s) + bisect_left(self.times_s, rest_s)
            self.left_bytes = OPPORTUNITY_BYTES
        while packet_bytes > self.left_bytes:
            packet_bytes -= self.left_bytes
            self.index, self.left_bytes = self.index + 1, OPPORTUNITY_BYTES
        self.left_bytes -= packet_bytes
        return self._time(self.index)

    def _time(self, index: int) -> float:
        rounds, place = divmod(index, len(self.times_s))
        return rounds * self.times_s[-1] + self.times_s[place]
