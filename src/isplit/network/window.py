"""The congestion window of a connection: how many segments may be in flight."""

from collections.abc import Callable

from isplit.network.congestion import NO_THRESHOLD, Cubic, HyStart, Reno
from isplit.network.segments import Segments
from isplit.network.transport import Tcp


class Window:
    """Whole segments; grows with acknowledgements, shrinks by losses and by pauses.

    Slow start and avoidance (RFC 5681), proportional rate reduction (RFC 6937), restart
    after a pause (RFC 2861).
    """

    def __init__(self, tcp: Tcp, undisturbed: Callable[[], float]) -> None:
        self.size = self.initial = tcp.initial_window
        self.threshold = NO_THRESHOLD
        self.idle_restart = tcp.idle_restart
        cubic = tcp.congestion_control == "cubic"
        self.growth: Cubic | Reno = Cubic() if cubic else Reno()
        self.hystart = HyStart(undisturbed) if cubic and tcp.hystart else None
        self.acks = 0  # towards the next segment, in avoidance
        self.before = self.delivered = self.resent = 0  # of the reduction under way
        self.limited, self.most_out, self.round_end = False, 0, -1

    def state(self, now_s: float) -> tuple[object, ...]:
        """What growth depends on."""
        found = self.hystart is not None and self.hystart.found
        own = self.size, self.threshold, self.acks, self.limited, found
        return (*own, *self.growth.state(now_s))

    def grow(self, delivered: int, now_s: float, rtt_s: float) -> None:
        """After an acknowledgement of new data, outside of recovery."""
        slow_start = self.size < self.threshold
        if not self.limited and not (slow_start and self.size < 2 * self.most_out):
            return
        if slow_start:
            grown = min(self.size + delivered, self.threshold)
            delivered -= grown - self.size
            self.size = grown
        if delivered:
            every = self.growth.acks_per_segment(self.size, delivered, now_s, rtt_s)
            if self.acks >= every:
                self.acks, self.size = 0, self.size + 1
            more, self.acks = divmod(self.acks + delivered, every)
            self.size += more

    def measure(self, segments: Segments, now_s: float, rtt_s: float) -> None:
        """After a round trip was measured: perhaps leave slow start."""
        slow_start = self.size < self.threshold
        at = segments.acked, segments.sent
        if self.hystart and self.hystart.leave(self.size, *at, now_s, rtt_s, slow_start):
            self.threshold = self.size

    def begin_reduction(self) -> None:
        """A loss was seen."""
        self.before, self.delivered, self.resent = self.size, 0, 0
        self.threshold = self.growth.reduced(self.size)

    def reduce(self, delivered: int, in_flight: int, progress: bool) -> None:
        """After an acknowledgement in recovery: towards the threshold, a little at each."""
        if delivered <= 0:
            return
        self.delivered += delivered
        room = self.threshold - in_flight
        if room < 0:
            allowed = -(-self.threshold * self.delivered // self.before) - self.resent
        else:
            allowed = min(room, max(self.delivered - self.resent, delivered) + progress)
        self.size = in_flight + max(allowed, 0 if self.resent else 1)

    def end_reduction(self) -> None:
        """All that was in flight at the loss is acknowledged."""
        self.size = self.threshold

    def collapse(self, in_flight: int, first: bool) -> None:
        """A timeout; ``first``: of this loss."""
        if first:
            self.threshold = self.growth.reduced(self.size)
        self.growth.timed_out()
        if self.hystart:
            self.hystart = HyStart(self.hystart.undisturbed)
        self.size, self.acks = in_flight + 1, 0

    def note_use(self, segments: Segments) -> None:
        """After sending: whether the window was the limit; one that is not does not grow."""
        out, limited = len(segments.unacked), len(segments.in_flight) >= self.size
        new_round = segments.acked >= self.round_end
        if new_round or limited or (not self.limited and out > self.most_out):
            self.limited, self.most_out, self.round_end = limited, out, segments.sent

    def restart(self, idle_s: float, timeout_s: float) -> None:
        """Something is sent after a pause: half the window for each timeout that passed."""
        if not self.idle_restart or idle_s <= timeout_s:
            return
        self.threshold = max(self.threshold, self.size * 3 // 4)
        least = min(self.initial, self.size)
        while (idle_s := idle_s - timeout_s) > 0 and self.size > least:
            self.size //= 2
        self.size = max(self.size, least)
