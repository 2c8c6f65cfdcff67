"""What a simulation of frames is about: their cost, who computes for whom, and over what."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from isplit.network.arrivals import Arrival
from isplit.network.channel import Channel
from isplit.network.limits import FROM_0, FROM_1, check
from isplit.network.transport import Tcp, Udp

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
        check(self, "work", device_s=FROM_0, encode_s=FROM_0, payload_bytes=FROM_1)
        check(self, "work", decode_s=FROM_0, server_s=FROM_0, answer_bytes=FROM_1)


@dataclass(frozen=True)
class Power:
    """Watts of a device: doing nothing, computing, and sending (each with idling included)."""

    idle_w: float
    compute_w: float
    send_w: float

    def __post_init__(self) -> None:
        most = min(self.compute_w, self.send_w)
        check(self, "power", idle_w=(0, most), compute_w=FROM_0, send_w=FROM_0)


@dataclass(frozen=True)
class Setting:
    """Who computes for whom.

    Attributes:
        work: of each frame.
        arrival: of each device's frames.
        channel: of each device's own; not needed when the device answers by itself.
        transport: TCP on one connection per device, or UDP.
        devices: that share the server.
        overlap: whether a device computes the next frame while it sends the last one.
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
        check(self, "setting", devices=FROM_1, batch=FROM_1, device_queue=FROM_0)
        check(self, "setting", server_queue=FROM_0, deadline_s=FROM_0)
