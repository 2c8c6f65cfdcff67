"""The receiving side of a TCP connection: which segments have come, and when to say so."""

from __future__ import annotations

from isplit.network.clock import NEVER
from isplit.network.segments import Ack
from isplit.network.transport import Tcp

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
