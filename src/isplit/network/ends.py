"""How long a TCP sender waits (RFC 6298, RFC 8985), and what a receiver has and has not said."""

import math
from collections.abc import Callable

from isplit.network.segments import Ack
from isplit.network.transport import Tcp

LONGEST_S = 120.0
SLACK_S = 0.002
MOST_DOUBLINGS = 10
NEVER = math.inf


class Clock:
    """The smoothed round trip, the waits that follow from it, and the one timer of a sender."""

    def __init__(self, tcp: Tcp, handshake_s: float) -> None:
        self.tcp = tcp
        self.smoothed_s = self.least_s = handshake_s
        self.deviation_s = handshake_s / 2
        self.doublings = 0
        self.alarm_s = NEVER
        self.ring: Callable[[float], None] | None = None

    def take(self, longest_s: float, shortest_s: float) -> None:
        """Note the round trips of the first and the last segment that an acknowledgement covers."""
        self.deviation_s += (abs(longest_s - self.smoothed_s) - self.deviation_s) / 4
        self.smoothed_s += (longest_s - self.smoothed_s) / 8
        self.least_s = min(self.least_s, shortest_s)

    @property
    def timeout_s(self) -> float:
        """After which silence is taken for loss."""
        usual_s = self.smoothed_s + max(4 * self.deviation_s, self.tcp.rto_min_s)
        return min(usual_s * (1 << self.doublings), LONGEST_S)

    def probe_s(self, out: int) -> float:
        """After which the tail is probed, with ``out`` segments on the way."""
        slack_s = self.tcp.rto_min_s if out == 1 else SLACK_S
        return min(2 * self.smoothed_s + slack_s, self.timeout_s)

    @property
    def reordering_s(self) -> float:
        """For which a gap may still be mere reordering."""
        return self.least_s / 4 + SLACK_S

    def set(self, now_s: float, wait_s: float, ring: Callable[[float], None]) -> None:
        """Wait in whole ticks, as a kernel does; the first is half over on average."""
        ticks = math.ceil(wait_s / self.tcp.tick_s) - 0.5
        self.alarm_s, self.ring = now_s + ticks * self.tcp.tick_s, ring

    def run_out(self, now_s: float) -> None:
        """The time has come."""
        ring, self.alarm_s, self.ring = self.ring, NEVER, None
        if ring:
            ring(now_s)


QUICK_ACKS = 16  # segments that are acknowledged at once on a new connection
AT_ONCE = 3  # duplicates for one gap; further ones are bundled


class Receiver:
    """What it has, and what it has not yet said."""

    def __init__(self, tcp: Tcp, round_trip_s: float) -> None:
        self.delayed_ack_s = tcp.delayed_ack_s
        self.bundle_s = min(tcp.sack_delay_s, round_trip_s / 3)
        self.expected = self.received = self.unsaid = self.duplicates = 0
        self.alarm_s = NEVER
        self.early: set[int] = set()
        self.selected: list[int] = []  # not yet told by an acknowledgement that arrived

    def take(self, now_s: float, number: int, pushed: bool) -> bool:
        """A segment came; whether that is acknowledged at once."""
        self.received += 1
        self.unsaid += 1
        at_once = pushed or bool(self.early) or number < self.expected
        if number == self.expected:
            self.expected += 1
            self.duplicates = 0
            while self.expected in self.early:
                self.early.remove(self.expected)
                self.expected += 1
        elif number > self.expected and number not in self.early:
            self.early.add(number)
            self.selected.append(number)
            self.duplicates += 1
            if self.duplicates > AT_ONCE:
                self.alarm_s = min(self.alarm_s, now_s + self.bundle_s)
                return False
        if at_once or self.early or self.unsaid >= 2 or self.received <= QUICK_ACKS:
            return True
        self.alarm_s = now_s + self.delayed_ack_s
        return False

    def ack(self) -> Ack:
        """What is to be said now."""
        self.unsaid, self.alarm_s = 0, NEVER
        return Ack(self.expected, tuple(self.selected))
