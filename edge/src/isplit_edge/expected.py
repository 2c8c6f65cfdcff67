"""What a frame of each design is expected to take, from what recent frames took.

``device_s * load + round_trip_s + 8 * payload_bytes / rate_bit_s + server_s``: the parts of the
study of latency. ``load`` is the device's part now, relative to its first frames. Round trip and
rate are the line through the designs that were sent lately; where only one was, a slower link is
put down to the rate, a faster one to both alike. Needs numpy alone.
"""

from collections import deque
from dataclasses import dataclass, field
from statistics import median

import numpy as np

FIRST = 3  # frames that each design takes at the start
NEWEST = 5  # frames whose middle is what one takes now
FRESH = 20  # frames after which one no longer says how the link is
SPREADS = 16  # frames that say how far from expected they were
WAIT = 5  # frames in a row for which another design must be better than the one in use
P95_OF_MEDIAN = 2.44  # of deviations, where they are normal: 1.645 / 0.6745


@dataclass
class Way:
    """A design and what its frames took: ``first_s`` here, ``newest`` number, bytes, link, server.

    ``off``: how far from expected they were, relative; the first few count as exact.
    ``wait``: frames for which it must be the best before it is taken.
    """

    name: str
    accuracy: float | None
    local: bool = False
    first_s: list[float] = field(default_factory=list)
    newest: deque[tuple[float, ...]] = field(default_factory=lambda: deque(maxlen=NEWEST))
    off: deque[float] = field(default_factory=lambda: deque([0.0] * NEWEST, SPREADS))
    wait: int = WAIT


class Expected:
    """Seconds of a frame of each way, here, on the link and at the server."""

    def __init__(self) -> None:
        self.number, self.round_trip_s, self.s_per_byte = 0, 0.0, 0.0
        self.sent: list[Way] = []  # the latest last
        self._loads = deque([1.0], NEWEST)

    @property
    def load(self) -> float:
        """Of this device: 1 as at the start."""
        return median(self._loads)

    def take(self, way: Way, device_s: float, size: int, link_s: float, server_s: float) -> None:
        """Learn from the frame of this number."""
        if len(way.first_s) < FIRST:
            way.first_s.append(device_s)
        else:
            way.off.append(abs((device_s + link_s + server_s) / self.mean_s(way) - 1))
        self._loads.append(device_s / median(way.first_s))
        way.newest.append((self.number, size, link_s, server_s))
        if not way.local:
            self.sent = [*(one for one in self.sent if one is not way), way]
            self._see_link()

    def mean_s(self, way: Way, *, idle: bool = False) -> float:
        """Of one frame; ``idle``: if the link took no time."""
        size, _, server_s = self._now(way)
        link_s = 0.0 if way.local or idle else self.round_trip_s + self.s_per_byte * size
        return median(way.first_s) * self.load + link_s + server_s

    def p95_s(self, way: Way, *, idle: bool = False) -> float:
        """That 95 % of its frames keep, as far as the last ones tell."""
        return self.mean_s(way, idle=idle) * (1 + P95_OF_MEDIAN * median(way.off))

    def _now(self, way: Way) -> list[float]:
        """Bytes, link and server: the middle of its fresh frames, or its newest."""
        fresh = [took[1:] for took in way.newest if took[0] > self.number - FRESH]
        return [*map(median, zip(*(fresh or [way.newest[-1][1:]]), strict=True))]

    def _see_link(self) -> None:
        fresh = [way for way in self.sent if way.newest[-1][0] > self.number - FRESH]
        sizes, links_s, _ = np.array([self._now(way) for way in fresh]).T
        if np.ptp(sizes) > 0:
            line_s = np.polyfit(sizes, links_s, 1, w=1 / np.arange(len(fresh), 0, -1))[1]
            self.round_trip_s = float(np.clip(line_s, 0.0, links_s.min()))
        else:
            before_s = self.round_trip_s + self.s_per_byte * sizes[-1]
            self.round_trip_s *= min(1.0, float(links_s[-1] / max(before_s, 1e-9)))
        self.s_per_byte = float((links_s[-1] - self.round_trip_s) / sizes[-1])
