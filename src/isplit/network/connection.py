"""A TCP connection over a channel, packet by packet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from isplit.network.link import Link
from isplit.network.segments import Ack, Segment
from isplit.network.sender import NEVER, Sender
from isplit.network.transport import IP_TCP_BYTES, Tcp

ACK_BYTES = 60  # with selective acknowledgements on average
QUICK_ACKS = 16  # segments that are acknowledged at once on a new connection


class Receiver:
    """The receiving side: which segments have come, and when to say so."""

    def __init__(self, tcp: Tcp) -> None:
        self.tcp = tcp
        self.expected = 0
        self.received = 0
        self.unsaid = 0
        self.alarm_s = NEVER
        self.repeated = False
        self.early: set[int] = set()
        self.selected: list[int] = []  # not yet told by an acknowledgement that arrived

    def take(self, now_s: float, number: int, pushed: bool) -> bool:
        """A segment came; whether that is acknowledged at once."""
        self.received += 1
        self.unsaid += 1
        self.repeated = number < self.expected or number in self.early
        gap = bool(self.early)
        if number == self.expected:
            self.expected += 1
            while self.expected in self.early:
                self.early.remove(self.expected)
                self.expected += 1
        elif not self.repeated:
            self.early.add(number)
            self.selected.append(number)
        at_once = gap or self.early or self.repeated or pushed
        if at_once or self.unsaid >= 2 or self.received <= QUICK_ACKS:
            return True
        self.alarm_s = now_s + self.tcp.delayed_ack_s
        return False

    def ack(self) -> Ack:
        """What is to be said now."""
        self.unsaid, self.alarm_s = 0, NEVER
        return Ack(self.expected, tuple(self.selected), self.repeated)


class Connection:
    """Frames written at one end come out at the other, in order; the handshake is past."""

    def __init__(self, there: Link, back: Link, tcp: Tcp, mtu_bytes: int) -> None:
        self.there, self.back, self.tcp = there, back, tcp
        self.segment_bytes = mtu_bytes - IP_TCP_BYTES
        self.now_s = 0.0
        self.written = self.wire_bytes = self.repeats = 0
        self.ends: deque[int] = deque()  # number of the last segment of each frame under way
        self.sender = Sender(tcp, there.delay_s + back.delay_s, self._transmit, self._undisturbed)
        self.receiver = Receiver(tcp)
        self._data: deque[tuple[float, int]] = deque()
        self._acks: deque[tuple[float, Ack]] = deque()

    @property
    def quiet(self) -> bool:
        """Whether everything is delivered, acknowledged and known to be."""
        return not (self.sender.segments.unacked or self.sender.unsent or self._data or self._acks)

    @property
    def state(self) -> tuple[object, ...]:
        """What the next transfer depends on, rounded; of a quiet connection."""
        return (*self.sender.state, min(self.receiver.received, QUICK_ACKS))

    def reseed(self, seed: int) -> None:
        """Begin a new stream of chance; and count from here."""
        rng = np.random.default_rng(seed)
        self.there.reseed(rng)
        self.back.reseed(rng)
        self.wire_bytes = self.repeats = 0

    def write(self, now_s: float, payload_bytes: int) -> None:
        """Hand a frame to the sender."""
        self.now_s = now_s
        sizes = [self.segment_bytes] * (payload_bytes // self.segment_bytes)
        if payload_bytes % self.segment_bytes:
            sizes.append(payload_bytes % self.segment_bytes)
        new = [Segment(self.written + i, size + IP_TCP_BYTES) for i, size in enumerate(sizes)]
        self.written += len(new)
        self.ends.append(self.written - 1)
        self.sender.write(now_s, new)

    def run(self, until_s: float) -> Iterator[float]:
        """Seconds at which frames are complete at the receiver, up to a time or until quiet."""
        while not self.quiet:
            data_s = self._data[0][0] if self._data else NEVER
            ack_s = self._acks[0][0] if self._acks else NEVER
            next_s = min(data_s, ack_s, self.sender.alarm_s, self.receiver.alarm_s)
            if next_s > until_s:
                return
            self.now_s = next_s
            if next_s == data_s:
                yield from self._receive(self._data.popleft()[1])
            elif next_s == ack_s:
                self.sender.on_ack(next_s, self._acks.popleft()[1])
            elif next_s == self.receiver.alarm_s:
                self._acknowledge()
            else:
                self.sender.on_alarm(next_s)

    def _receive(self, number: int) -> Iterator[float]:
        if self.receiver.take(self.now_s, number, number in self.ends):
            self._acknowledge()
        while self.ends and self.receiver.expected > self.ends[0]:
            self.ends.popleft()
            yield self.now_s

    def _undisturbed(self) -> float:
        mean_s = self.tcp.undisturbed_s
        return float(self.there.rng.exponential(mean_s)) if mean_s < NEVER else NEVER

    def _transmit(self, segment: Segment) -> None:
        self.wire_bytes += segment.wire_bytes
        self.repeats += segment.resent
        arrival_s = self.there.send(self.now_s, segment.wire_bytes)
        if arrival_s is not None:
            self._data.append((arrival_s, segment.number))

    def _acknowledge(self) -> None:
        ack = self.receiver.ack()
        arrival_s = self.back.send(self.now_s, ACK_BYTES)
        if arrival_s is not None:
            self.receiver.selected.clear()
            self._acks.append((arrival_s, ack))
