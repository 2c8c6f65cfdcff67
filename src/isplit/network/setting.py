"""What a simulation of frames is about: their cost, who computes for whom, and over what."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isplit.network.arrivals import Arrival
from isplit.network.channel import Channel
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
        for key in ("device_s", "encode_s", "payload_bytes", "decode_s", "server_s", "answer_bytes"):
            value = getattr(self, key)
            least = 1 if key in ("payload_bytes", "answer_bytes") else 0
            if value is not None and not callable(value) and not least <= value < math.inf:
                raise ValueError(f"work.{key}={value} is not {least} or more")


@dataclass(frozen=True)
class Power:
    """Watts of a device: doing nothing, computing, and sending (each with idling included)."""

    idle_w: float
    compute_w: float
    send_w: float

    def __post_init__(self) -> None:
        if not 0 <= self.idle_w <= min(self.compute_w, self.send_w):
            raise ValueError(f"power: 0 <= idle_w <= compute_w, send_w does not hold for {self}")


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
    arrival: Arrival = Arrival()
    channel: Channel | None = None
    transport: Tcp | Udp = Tcp()
    devices: int = 1
    overlap: bool = True
    device_queue: float = math.inf
    server_queue: float = math.inf
    batch: int = 1
    deadline_s: float | None = None
    power: Power | None = None

    def __post_init__(self) -> None:
        if self.work.payload_bytes is not None and self.channel is None:
            raise ValueError("setting.channel is missing: work.payload_bytes must travel over one")
        for key in ("devices", "batch"):
            if getattr(self, key) < 1:
                raise ValueError(f"setting.{key}={getattr(self, key)} is not at least 1")
        for key in ("device_queue", "server_queue", "deadline_s"):
            value = getattr(self, key)
            if value is not None and not value >= 0:
                raise ValueError(f"setting.{key}={value} is not 0 or more")
