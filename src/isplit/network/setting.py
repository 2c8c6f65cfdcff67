"""What a simulation of frames is about: their cost, who computes for whom, and over what."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import numpy as np

from isplit.network.channel import Channel
from isplit.network.transport import Tcp, Udp
from isplit.presets import ABOVE_0, COUNT, FROM_0, check, check_choice

KINDS = ("periodic", "poisson", "trace")
Seconds = float | Callable[[np.random.Generator], float]


@dataclass(frozen=True)
class Work:
    """What one frame costs; a number of seconds, or a function that draws one.

    Attributes:
        device_s: computing on the device, until there is something to encode.
        encode_s: on the device.
        payload_bytes: sent to the server; ``None``: the device answers by itself (LC).
        decode_s: on the server, per frame.
        server_s: on the server, per frame; or a function from the frames of a batch to seconds.
        answer_bytes: sent back.
    """

    device_s: Seconds = 0.0
    encode_s: float = 0.0
    payload_bytes: int | None = None
    decode_s: float = 0.0
    server_s: float | Callable[[int], float] = 0.0
    answer_bytes: int = 4

    def __post_init__(self) -> None:
        check(self, "work", device_s=FROM_0, encode_s=FROM_0, payload_bytes=COUNT)
        check(self, "work", decode_s=FROM_0, server_s=FROM_0, answer_bytes=COUNT)


@dataclass(frozen=True)
class Power:
    """Watts of a device: doing nothing, computing, and sending (each with idling included)."""

    idle_w: float
    compute_w: float
    send_w: float

    def __post_init__(self) -> None:
        check(self, "power", compute_w=FROM_0, send_w=FROM_0)
        check(self, "power", idle_w=(0.0, min(self.compute_w, self.send_w)))


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


@dataclass(frozen=True)
class Setting:
    """Who computes for whom.

    Attributes:
        work: of each frame.
        arrival: of each device's frames.
        channel: of each device's own; not needed when the device answers by itself.
        transport: TCP on one connection per device, or UDP.
        devices: that share the server.
        overlap: whether a device computes the next frame while the last one is on its way. Else it
            begins when the last is answered, as ``isplit-edge`` does, or given up at the deadline.
        device_queue: frames that may wait at a device; further ones are lost.
        server_queue: frames that may wait at the server; further ones are lost.
        batch: most frames that the server takes at once.
        deadline_s: from taking a frame to its answer.
        power: of a device, where it is known.
    """

    work: Work
    arrival: Arrival = field(default_factory=Arrival)
    channel: Channel | None = None
    transport: Tcp | Udp = field(default_factory=Tcp)
    devices: int = 1
    overlap: bool = True
    device_queue: float = math.inf
    server_queue: float = math.inf
    batch: int = 1
    deadline_s: float | None = None
    power: Power | None = None

    def __post_init__(self) -> None:
        if self.work.payload_bytes is not None and self.channel is None:
            raise ValueError("setting.channel is missing: work.payload_bytes travels over one")
        check(self, "setting", devices=COUNT, batch=COUNT, deadline_s=FROM_0)
        check(self, "setting", device_queue=(0.0, math.inf), server_queue=(0.0, math.inf))


class Ready(NamedTuple):
    """A frame at the device that waits to be sent."""

    number: int
    arrival_s: float
    start_s: float
    ready_s: float


class Sent(NamedTuple):
    """What became of it; ``delivered_s`` is ``None`` when it is lost."""

    frame: Ready
    delivered_s: float | None
    wire_bytes: int
    missing: int = 0


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
