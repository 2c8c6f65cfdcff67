"""How the congestion window grows and shrinks: Reno, and CUBIC with HyStart, in whole segments.

As Linux 6.x does it (net/ipv4/tcp_cong.c, tcp_cubic.c), after RFC 5681, RFC 9438 and Ha and Rhee,
"Taming the elephants" (2011). Rounding down matters: real numbers make long lossy transfers 20 %
too fast.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

NO_THRESHOLD = 1 << 30
FEWEST_SEGMENTS = 2


class Reno:
    """One segment a round trip; half after a loss."""

    def acks_per_segment(self, cwnd: int, acked: int, now_s: float, rtt_s: float) -> int:
        """The window itself."""
        return cwnd

    def reduced(self, cwnd: int) -> int:
        """Half the window."""
        return max(cwnd // 2, FEWEST_SEGMENTS)

    def timed_out(self) -> None:
        """Nothing was learned."""

    def paused(self, idle_s: float) -> None:
        """Nothing depends on time."""

    def state(self, now_s: float) -> tuple[object, ...]:
        """Nothing was learned."""
        return ()


@dataclass
class Cubic:
    """A cubic curve in time around the window of the last loss, never slower than Reno."""

    SCALE = 0.4  # C of RFC 9438, segments per second cubed
    BETA = 717  # of 1024: the window after a loss
    UPDATE_S = 1 / 32  # the curve is not looked at more often while the window stays
    EAGER = 20  # acknowledgements per segment before the first loss, at most

    last_max: int = 0
    origin: int = 0
    reaches_s: float = 0.0
    epoch_s: float | None = None
    updated_s: float = -math.inf
    updated_cwnd: int = 0
    reno_cwnd: int = 0
    reno_acks: int = 0
    step: int = 2

    def acks_per_segment(self, cwnd: int, acked: int, now_s: float, rtt_s: float) -> int:
        """How flat the curve is now, or Reno's slope where that is steeper."""
        self.reno_acks += acked
        if cwnd == self.updated_cwnd and now_s - self.updated_s <= self.UPDATE_S:
            return self.step
        self.updated_cwnd, self.updated_s = cwnd, now_s
        if self.epoch_s is None:
            self._begin(cwnd, acked, now_s)
        since_s = now_s - (self.epoch_s or 0.0) + rtt_s - self.reaches_s
        target = int(self.origin + self.SCALE * since_s**3)
        self.step = cwnd // (target - cwnd) if target > cwnd else 100 * cwnd
        if not self.last_max:
            self.step = min(self.step, self.EAGER)
        return self._not_slower_than_reno(cwnd)

    def reduced(self, cwnd: int) -> int:
        """0.7 of the window; a second loss below the first makes room for others."""
        falling = cwnd < self.last_max
        self.last_max = cwnd * (1024 + self.BETA) // 2048 if falling else cwnd
        self.epoch_s = None
        return max(cwnd * self.BETA // 1024, FEWEST_SEGMENTS)

    def timed_out(self) -> None:
        """Begin anew."""
        self.__init__()  # type: ignore[misc]

    def paused(self, idle_s: float) -> None:
        """The curve stands still while nothing is sent."""
        if self.epoch_s is not None:
            self.epoch_s += idle_s

    def state(self, now_s: float) -> tuple[object, ...]:
        """The curve, and where on it the connection stands, to an eighth of a second."""
        age = None if self.epoch_s is None else round((now_s - self.epoch_s) * 8)
        return (self.last_max, self.origin, self.reno_cwnd, age)

    def _begin(self, cwnd: int, acked: int, now_s: float) -> None:
        self.epoch_s, self.reno_cwnd, self.reno_acks = now_s, cwnd, acked
        self.origin = max(self.last_max, cwnd)
        self.reaches_s = math.cbrt((self.origin - cwnd) / self.SCALE)

    def _not_slower_than_reno(self, cwnd: int) -> int:
        per_segment = cwnd * 15 // 8  # 3 (1 + beta) / (1 - beta), in eighths as Linux rounds it
        while self.reno_acks > per_segment:
            self.reno_acks -= per_segment
            self.reno_cwnd += 1
        if self.reno_cwnd > cwnd:
            self.step = min(self.step, cwnd // (self.reno_cwnd - cwnd))
        self.step = max(self.step, 2)
        return self.step


@dataclass
class HyStart:
    """Leaves slow start before the queue overflows: a long train of acknowledgements, or delay.

    ``undisturbed`` draws how long a host works without a pause that tears a train apart.
    """

    LEAST_CWND = 16
    TRAIN_GAP_S = 0.002
    SAMPLES = 8

    undisturbed: Callable[[], float]
    torn_s: float = math.inf
    end: int = -1
    began_s: float = 0.0
    last_s: float = 0.0
    samples: int = 0
    round_rtt_s: float = math.inf
    least_rtt_s: float = math.inf
    found: bool = False

    def leave(
        self, cwnd: int, acked: int, sent: int, now_s: float, rtt_s: float, slow_start: bool
    ) -> bool:
        """Whether slow start ends; ``acked`` and ``sent`` count segments of the connection."""
        self.least_rtt_s = min(self.least_rtt_s, rtt_s)
        if self.found or not slow_start:
            return False
        if acked > self.end:
            self.end, self.began_s, self.last_s = sent, now_s, now_s
            self.samples, self.round_rtt_s = 0, math.inf
            self.torn_s = now_s + self.undisturbed()
        if cwnd < self.LEAST_CWND:
            return False
        if now_s - self.last_s <= self.TRAIN_GAP_S and now_s < self.torn_s:
            self.last_s = now_s
            self.found = now_s - self.began_s > self.least_rtt_s / 2
        self.round_rtt_s = min(self.round_rtt_s, rtt_s)
        self.samples += 1
        late_s = min(max(self.least_rtt_s / 8, 0.004), 0.016)
        if self.samples > self.SAMPLES and self.round_rtt_s > self.least_rtt_s + late_s:
            self.found = True
        return self.found
