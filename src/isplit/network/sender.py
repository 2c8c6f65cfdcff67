"""The sending side of a TCP connection: what is sent when, and what is sent again.

SACK with RACK loss detection and tail loss probes (RFC 8985), timeouts (RFC 6298).
"""

from collections import deque
from collections.abc import Callable

from isplit.network.ends import MOST_DOUBLINGS, NEVER, Clock
from isplit.network.segments import Ack, Segment, Segments
from isplit.network.transport import Tcp
from isplit.network.window import Window

DUPLICATES = 3  # segments selected after which reordering is no excuse


class Sender:
    """Segments in by ``write``, out by ``transmit``; woken by its clock.

    Its ``phase`` is ``open``, ``recovery`` (losses seen) or ``loss`` (after a timeout).
    """

    def __init__(
        self, tcp: Tcp, clock: Clock, window: Window, transmit: Callable[[Segment], None]
    ) -> None:
        self.tcp, self.clock, self.window, self.transmit = tcp, clock, window, transmit
        self.segments = Segments()
        self.unsent: deque[Segment] = deque()
        self.phase = "open"
        self.repaired = 0  # all before this is acknowledged: the phase is over
        self.probed = 0  # likewise a probe
        self.last_sent_s = 0.0

    def write(self, now_s: float, segments: list[Segment]) -> None:
        """Send these when the window allows."""
        if not self.segments.unacked:
            self.window.restart(now_s - self.last_sent_s, self.clock.timeout_s)
        self.unsent.extend(segments)
        self._pump(now_s)

    def on_ack(self, now_s: float, ack: Ack) -> None:
        """An acknowledgement arrived."""
        segments, window = self.segments, self.window
        before = segments.acked
        delivered = segments.take(ack)
        advanced = segments.acked > before
        fresh_s = [now_s - segment.sent_s for segment in delivered if not segment.resent]
        if fresh_s:
            self.clock.take(max(fresh_s), min(fresh_s))
            window.measure(segments, now_s, min(fresh_s))
        if self.phase != "open" and segments.acked >= self.repaired:
            if self.phase == "recovery":
                window.end_reduction()
            self.phase = "open"
        lost = self._find_lost(now_s)
        if self.phase == "recovery":
            window.reduce(len(delivered), len(segments.in_flight), advanced and not lost)
        elif advanced:
            window.grow(len(delivered), now_s, self.clock.least_s)
        if advanced:
            self.clock.doublings = 0
        self._pump(now_s, rearm=advanced)

    def _find_lost(self, now_s: float) -> bool:
        """Mark what was overtaken as lost; with few duplicates, wait a little first."""
        overtaken = self.segments.overtaken() if self.tcp.fast_retransmit else []
        if overtaken and (self.phase != "open" or self.segments.sacked >= DUPLICATES):
            self._lose(overtaken)
            return True
        if overtaken and self.clock.ring != self._on_reordering:
            self.clock.set(now_s, self.clock.reordering_s, self._on_reordering)
        return False

    def _lose(self, overtaken: list[Segment]) -> None:
        if self.phase == "open":
            self.phase, self.repaired, self.probed = "recovery", self.segments.sent, 0
            self.window.begin_reduction()
        self.segments.lose(overtaken)

    def _on_reordering(self, now_s: float) -> None:
        self._lose(self.segments.overtaken())
        self.window.reduce(1, len(self.segments.in_flight), progress=False)
        self._pump(now_s, rearm=True)

    def _on_probe(self, now_s: float) -> None:
        self._send(now_s, self.unsent.popleft() if self.unsent else self.segments.last())
        self.probed = self.segments.sent
        self.clock.set(now_s, self.clock.timeout_s, self._on_timeout)

    def _on_timeout(self, now_s: float) -> None:
        segments = self.segments
        first = self.phase == "open" or segments.acked >= self.repaired
        self.phase, self.repaired, self.probed = "loss", segments.sent, 0
        segments.lose(segments.sent_before(now_s - self.clock.smoothed_s))
        self.window.collapse(len(segments.in_flight), first)
        self.clock.doublings = min(self.clock.doublings + 1, MOST_DOUBLINGS)
        self._pump(now_s)
        self.clock.set(now_s, self.clock.timeout_s, self._on_timeout)

    def _pump(self, now_s: float, rearm: bool = False) -> None:
        segments, window, unsent = self.segments, self.window, self.unsent
        fresh = False
        while len(segments.in_flight) < window.size:
            segment = segments.next_lost() if segments.lost else None
            if segment is None:
                if not unsent:
                    break
                segment, fresh = unsent.popleft(), True
            if not segments.unacked:
                window.growth.paused(now_s - self.last_sent_s)
            self._send(now_s, segment)
            rearm = rearm or segment.number == segments.acked
            window.resent += 1
        window.note_use(segments)
        if rearm or (fresh and self.phase == "open" and not segments.sacked):
            self._arm(now_s)

    def _send(self, now_s: float, segment: Segment) -> None:
        self.segments.send(segment, now_s)
        self.last_sent_s = now_s
        self.transmit(segment)

    def _arm(self, now_s: float) -> None:
        """Set the timer: a probe of the tail while nothing seems lost, else the timeout."""
        segments = self.segments
        self.clock.alarm_s = NEVER
        if not segments.unacked:
            return
        calm = self.phase == "open" and not segments.sacked and segments.acked >= self.probed
        if calm and self.tcp.fast_retransmit:
            self.clock.set(now_s, self.clock.probe_s(len(segments.unacked)), self._on_probe)
        else:
            self.clock.set(now_s, self.clock.timeout_s, self._on_timeout)
