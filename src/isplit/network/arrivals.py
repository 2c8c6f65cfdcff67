"""When frames are taken: at a fixed rate, at random, or at given times."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

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
        if self.kind not in KINDS:
            raise ValueError(f"arrival.kind={self.kind!r} is none of {', '.join(KINDS)}")
        if not 0 < self.rate_hz < math.inf:
            raise ValueError(f"arrival.rate_hz={self.rate_hz} is not above 0")
        if self.kind == "trace":
            gaps = np.diff((0.0, *self.times_s))
            if not self.times_s or gaps.min() < 0 or self.times_s[-1] <= 0:
                raise ValueError("arrival.times_s must be times that do not go back, the last above 0")


def arrival_times(arrival: Arrival, rng: np.random.Generator, phase: float = 0.0) -> Iterator[float]:
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
