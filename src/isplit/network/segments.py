"""What a TCP sender knows of its segments: in flight, delivered, lost."""

from collections import OrderedDict
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import takewhile
from typing import NamedTuple


@dataclass(slots=True, eq=False)
class Segment:
    """A piece of the stream; ``order`` counts transmissions, so later ones have higher numbers."""

    number: int
    wire_bytes: int
    ends_frame: bool = False
    sent_s: float = 0.0
    order: int = 0
    resent: bool = False
    sacked: bool = False
    lost: bool = False


class Ack(NamedTuple):
    """What a receiver says: all before ``expected`` has come, and ``selected`` beyond it."""

    expected: int
    selected: tuple[int, ...] = ()


class Segments:
    """Everything sent and not yet acknowledged."""

    def __init__(self) -> None:
        self.acked = 0  # all segments before this number are acknowledged
        self.sent = 0  # segments sent at least once
        self.sacked = 0
        self.unacked: dict[int, Segment] = {}
        self.in_flight: OrderedDict[int, Segment] = OrderedDict()  # by last transmission
        self.newest = Segment(-1, 0)  # delivered; of all such, the one sent last
        self.orders = 0
        self.lost: list[int] = []  # a heap of numbers; some may have come meanwhile

    def send(self, segment: Segment, now_s: float) -> None:
        """Note a transmission."""
        number = segment.number
        if segment.order:
            segment.resent, segment.lost = True, False
            self.in_flight.pop(number, None)
        else:
            self.sent = number + 1
            self.unacked[number] = segment
        self.orders += 1
        segment.sent_s, segment.order = now_s, self.orders
        self.in_flight[number] = segment

    def take(self, ack: Ack) -> list[Segment]:
        """Note an acknowledgement; the segments that it says arrived, for the first time."""
        delivered, in_flight, unacked = [], self.in_flight, self.unacked
        for number in range(self.acked, ack.expected):
            segment = unacked.pop(number)
            if segment.sacked:
                self.sacked -= 1
            else:
                delivered.append(segment)
        self.acked = max(self.acked, ack.expected)
        for number in ack.selected:
            chosen = unacked.get(number)
            if chosen is not None and not chosen.sacked:
                chosen.sacked = True
                self.sacked += 1
                delivered.append(chosen)
        for segment in delivered:
            segment.lost = False
            in_flight.pop(segment.number, None)
            if segment.order > self.newest.order:
                self.newest = segment
        return delivered

    def overtaken(self) -> list[Segment]:
        """Those in flight that were sent before one that is delivered (RACK, RFC 8985)."""
        newest = self.newest.order
        return list(takewhile(lambda s: s.order <= newest, self.in_flight.values()))

    def sent_before(self, time_s: float) -> list[Segment]:
        """Those in flight that were sent before a time, and the first unacknowledged one."""
        flying = self.in_flight.values()
        return [s for s in flying if s.sent_s <= time_s or s.number == self.acked]

    def lose(self, segments: list[Segment]) -> None:
        """Mark segments as lost."""
        for segment in segments:
            segment.lost = True
            self.in_flight.pop(segment.number, None)
            heappush(self.lost, segment.number)

    def next_lost(self) -> Segment | None:
        """The first segment that is to be sent again, no longer listed as lost."""
        while self.lost:
            segment = self.unacked.get(heappop(self.lost))
            if segment is not None and segment.lost:
                return segment
        return None

    def last(self) -> Segment:
        """The last segment that was sent and did not arrive, as far as is known."""
        return next(s for s in reversed(self.unacked.values()) if not s.sacked)
