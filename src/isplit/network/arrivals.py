"""When frames are taken: at a fixed rate, at random, or at given times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from isplit.network.limits import ABOVE_0, check, check_choice

KINDS = ("periodic", "poisson", "trace")


@dataclass(frozen=True)
class Arrival:
    """The frames of one device.

    Attributes:
        kind: ``periodic``, ``poisson`` or ``trace``.
        rate_hz: frames a second, on average.
        times_s: of the frames of a trace, which repeats after its last.
    """

    kind: str = "periodic"
    rate_hz: float = 30.0
    times_s: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_choice(self.kind, "arrival.kind", KINDS)
        check(self, "arrival", rate_hz=ABOVE_0)
        if self.kind == "trace" and not (
            self.times_s and np.diff((0.0, *self.times_s)).min() >= 0 < self.times_s[-1]
        ):
            raise ValueError("arrival.times_s must not go back, and the last must be above 0")


def arrival_times(
    arrival: Arrival, rng: np.random.Generator, phase: float = 0.0
) -> Iterator[float]:
    """Seconds at which frames are taken, without end; ``phase`` (0..1) delays the period."""
    if arrival.kind == "periodic":
        return ((number + phase) / arrival.rate_hz for number in count())
    if arrival.kind == "trace":
        times_s = arrival.times_s
        return (round_ * times_s[-1] + time_s for round_ in count() for time_s in times_s)
    return _poisson(arrival.rate_hz, rng)


def _poisson(rate_hz: float, rng: np.random.Generator) -> Iterator[float]:
    now_s = 0.0
    while True:
        for gap_s in rng.exponential(1 / rate_hz, 1024).tolist():
            now_s += gap_s
            yield now_s
