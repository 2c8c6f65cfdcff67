"""The sending side of a TCP connection: what is sent when, and what is sent again.

SACK with RACK loss detection and tail loss probes (RFC 8985), timeouts (RFC 6298).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from isplit.network.segments import Ack, Segment, Segments
from isplit.network.transport import Tcp
from isplit.network.window import Window

LONGEST_TIMEOUT_S = 120.0
DUPLICATES = 3  # segments selected after which reordering is no excuse
SLACK_S = 0.002
NEVER = math.inf


class RoundTrip:
    """The smoothed round trip and the timeout that follows from it (RFC 6298)."""

    def __init__(self, handshake_s: float) -> None:
        self.smoothed_s = self.least_s = handshake_s
        self.deviation_s = handshake_s / 2

    def take(self, longest_s: float, shortest_s: float) -> None:
        """Note what an acknowledgement tells: of the first and the last segment it covers."""
        self.deviation_s += (abs(longest_s - self.smoothed_s) - self.deviation_s) / 4
        self.smoothed_s += (longest_s - self.smoothed_s) / 8
        self.least_s = min(self.least_s, shortest_s)


class Sender:
    """Segments in by ``write``, packets out by ``transmit``, woken at ``alarm_s``."""

    def __init__(
        self,
        tcp: Tcp,
        handshake_s: float,
        transmit: Callable[[Segment], None],
        undisturbed: Callable[[], float],
    ) -> None:
        self.tcp, self.transmit = tcp, transmit
        self.segments, self.window = Segments(), Window(tcp, undisturbed)
        self.round_trip = RoundTrip(handshake_s)
        self.unsent: deque[Segment] = deque()
        self.phase = "open"
        self.recovery_end = 0
        self.probe_end: int | None = None
        self.probe_resent = False
        self.backoff = 1
        self.last_sent_s = 0.0
        self.alarm_s, self._ring = NEVER, self._on_timeout

    @property
    def timeout_s(self) -> float:
        """After which silence is taken for loss."""
        usual_s = self.round_trip.smoothed_s + max(4 * self.round_trip.deviation_s, self.tcp.rto_min_s)
        return min(usual_s * self.backoff, LONGEST_TIMEOUT_S)

    @property
    def state(self) -> tuple[object, ...]:
        """What the next transfer depends on, rounded; of a quiet connection."""
        timeout = round(math.log2(self.timeout_s) * 8)
        return (*self.window.state(self.last_sent_s), timeout, self.probe_end is not None)

    def write(self, now_s: float, segments: list[Segment]) -> None:
        """Send these when the window allows."""
        if not self.segments.unacked:
            self.window.restart(now_s - self.last_sent_s, self.timeout_s)
        self.unsent.extend(segments)
        self._pump(now_s)

    def on_ack(self, now_s: float, ack: Ack) -> None:
        """An acknowledgement arrived."""
        before = self.segments.acked
        delivered = self.segments.take(ack)
        advanced = self.segments.acked > before
        self._measure(now_s, delivered, advanced)
        self._check_probe(ack)
        if self.phase != "open" and self.segments.acked >= self.recovery_end:
            if self.phase == "recovery":
                self.window.end_reduction()
            self.phase = "open"
        lost = self._find_lost(now_s)
        if self.phase == "recovery":
            in_flight = len(self.segments.in_flight)
            self.window.reduce(len(delivered), in_flight, advanced and not lost)
        elif advanced:
            self.window.grow(len(delivered), now_s, self.round_trip.least_s)
        if advanced:
            self.backoff = 1
            self._arm(now_s)
        self._pump(now_s)

    def on_alarm(self, now_s: float) -> None:
        """The time set by ``alarm_s`` has come."""
        self.alarm_s = NEVER
        self._ring(now_s)

    def _measure(self, now_s: float, delivered: list[Segment], advanced: bool) -> None:
        fresh = [now_s - s.sent_s for s in delivered if not s.resent]
        if fresh:
            self.round_trip.take(max(fresh), min(fresh))
            self.window.measure(self.segments.acked, self.segments.sent, now_s, min(fresh))

    def _check_probe(self, ack: Ack) -> None:
        if self.probe_end is None:
            return
        if ack.repeated or (ack.expected >= self.probe_end and not self.probe_resent):
            self.probe_end = None
        elif ack.expected > self.probe_end:  # the probe repaired a loss that nobody else saw
            self.window.begin_reduction()
            self.window.end_reduction()
            self.probe_end = None

    def _find_lost(self, now_s: float) -> int:
        """Mark what was overtaken as lost; few duplicates may still be reordering: wait."""
        if not self.tcp.fast_retransmit:
            return 0
        overtaken = list(self.segments.overtaken())
        if not overtaken:
            return 0
        if self.phase == "open" and self.segments.sacked < DUPLICATES:
            if self._ring != self._on_reordering or self.alarm_s == NEVER:
                self._set(now_s, self.round_trip.least_s / 4 + SLACK_S, self._on_reordering)
            return 0
        return self._lose(overtaken)

    def _lose(self, overtaken: list[Segment]) -> int:
        if self.phase == "open":
            self.phase, self.recovery_end, self.probe_end = "recovery", self.segments.sent, None
            self.window.begin_reduction()
        return self.segments.lose(overtaken)

    def _on_reordering(self, now_s: float) -> None:
        entered = self.phase == "open"
        if self._lose(list(self.segments.overtaken())) and entered:
            self.window.reduce(1, len(self.segments.in_flight), False)
        self._arm(now_s)
        self._pump(now_s)

    def _on_probe(self, now_s: float) -> None:
        self.probe_resent = not self.unsent
        self._send(now_s, self.segments.last() if self.probe_resent else self.unsent.popleft())
        self.probe_end = self.segments.sent
        self._set(now_s, self.timeout_s, self._on_timeout)

    def _on_timeout(self, now_s: float) -> None:
        segments = self.segments
        first = self.phase == "open" or segments.acked >= self.recovery_end
        self.phase, self.recovery_end, self.probe_end = "loss", segments.sent, None
        recent_s = now_s - self.round_trip.smoothed_s
        old = [s for s in segments.in_flight.values() if s.sent_s <= recent_s or s.number == segments.acked]
        segments.lose(old)
        self.window.collapse(len(segments.in_flight), first)
        self.backoff = min(self.backoff * 2, 1 << 10)
        self._pump(now_s)
        self._set(now_s, self.timeout_s, self._on_timeout)

    def _pump(self, now_s: float) -> None:
        segments, window = self.segments, self.window
        fresh = sent = False
        while len(segments.in_flight) < window.size:
            segment = segments.next_lost()
            if segment is None:
                if not self.unsent:
                    break
                segment, fresh = self.unsent.popleft(), True
            if not segments.unacked:
                window.growth.paused(now_s - self.last_sent_s)
            self._send(now_s, segment)
            sent = True
            window.resent += 1
        if sent or len(segments.in_flight) >= window.size:
            out, in_flight = len(segments.unacked), len(segments.in_flight)
            window.validate(out, in_flight, segments.acked, segments.sent, now_s, self.timeout_s)
        if fresh and self.phase == "open" and not segments.sacked:
            self._arm(now_s)

    def _send(self, now_s: float, segment: Segment) -> None:
        self.segments.send(segment, now_s)
        self.last_sent_s = now_s
        self.transmit(segment)
        if segment.number == self.segments.acked:
            self._arm(now_s)

    def _arm(self, now_s: float) -> None:
        """Set the timer: a probe of the tail if nothing seems lost, else the timeout."""
        out = len(self.segments.unacked)
        if not out:
            self.alarm_s = NEVER
        elif self.phase != "open" or self.segments.sacked or self.probe_end is not None or not self.tcp.fast_retransmit:
            self._set(now_s, self.timeout_s, self._on_timeout)
        else:
            slack_s = self.tcp.rto_min_s if out == 1 else SLACK_S
            wait_s = min(2 * self.round_trip.smoothed_s + slack_s, self.timeout_s)
            self._set(now_s, wait_s, self._on_probe)

    def _set(self, now_s: float, wait_s: float, ring: Callable[[float], None]) -> None:
        ticks = math.ceil(wait_s / self.tcp.tick_s) - 0.5  # the clock is half a tick on, on average
        self.alarm_s, self._ring = now_s + ticks * self.tcp.tick_s, ring
