"""The link between device and server as figures: rates, delay, losses; or traces of its rate."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from isplit.presets import FROM_0, FROM_1, check, load_preset

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
        times_ms = [int(line) for line in Path(path).read_text(encoding="ascii").split()]
    except (OSError, ValueError) as error:
        raise ValueError(
            f"channel trace {path}: not a file of whole milliseconds, one a line: {error}"
        ) from error
    if not times_ms or times_ms[-1] <= 0 or times_ms[0] < 0 or times_ms != sorted(times_ms):
        raise ValueError(f"channel trace {path}: milliseconds must not go back, and end above 0")
    return tuple(ms / 1000 for ms in times_ms)


def mean_bit_s(trace: str | None, bit_s: float) -> float:
    """Rate of a link: what the trace allows on average or, without one, ``bit_s``."""
    if trace is None:
        return bit_s
    times_s = read_trace(trace)
    return len(times_s) * OPPORTUNITY_BYTES * 8 / times_s[-1]


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


MOST_LOSS = 0.99
LEAST_QUEUE_BYTES = 30_000


@dataclass(frozen=True)
class Channel:
    """What is known of a link; the way up goes from the device to the server.

    Attributes:
        name: of the preset.
        up_bit_s: rate of the way up, headers included.
        down_bit_s: the same of the way down.
        round_trip_s: of an empty packet on the idle link, half of it each way.
        jitter_s: mean of a random (exponential) delay added to each packet, order kept.
        loss: share of the packets lost, 0..1, in each direction.
        burst_packets: mean length of a burst of losses, at least the 1 / (1 - loss) of independent
            ones; ``None``: packets are lost independently.
        queue_bytes: before packets are dropped; ``None``: rate times round trip, at least 30 kB.
        mtu_bytes: largest packet, with IP and transport headers.
        up_trace: mahimahi file that takes the place of ``up_bit_s``.
        down_trace: the same of ``down_bit_s``.
        source: where each figure comes from.
    """

    up_bit_s: float
    down_bit_s: float
    round_trip_s: float
    jitter_s: float = 0.0
    loss: float = 0.0
    burst_packets: float | None = None
    queue_bytes: float | None = None
    mtu_bytes: int = 1500
    up_trace: str | None = None
    down_trace: str | None = None
    name: str = "custom"
    source: str = ""

    def __post_init__(self) -> None:
        check(self, "channel", up_bit_s=FROM_1, down_bit_s=FROM_1, round_trip_s=FROM_0)
        check(self, "channel", jitter_s=FROM_0, queue_bytes=FROM_0, mtu_bytes=(100, 65_535))
        check(self, "channel", loss=(0.0, MOST_LOSS))
        check(self, "channel", burst_packets=(1 / (1 - self.loss), math.inf))
        for trace in filter(None, (self.up_trace, self.down_trace)):
            read_trace(trace)

    @property
    def rates_bit_s(self) -> tuple[float, float]:
        """Of the way up and the way down; of a trace its mean."""
        up_bit_s = mean_bit_s(self.up_trace, self.up_bit_s)
        return up_bit_s, mean_bit_s(self.down_trace, self.down_bit_s)

    @property
    def queue(self) -> float:
        """Bytes that fit in the queue."""
        if self.queue_bytes is not None:
            return self.queue_bytes
        return max(self.rates_bit_s[0] * self.round_trip_s / 8, LEAST_QUEUE_BYTES)


def load_channel(name: str, **figures: Any) -> Channel:
    """The channel of a preset of ``conf/channel``, or of a YAML file, with some figures changed.

    Raises:
        ValueError: see :func:`isplit.presets.load_preset`.

    >>> load_channel("geo_satellite", loss=0.01).round_trip_s
    0.6
    """
    return load_preset(Channel, name, "channel", **figures)
