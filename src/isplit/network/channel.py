"""The link between device and server as figures, and the presets of ``conf/channel``."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

MISSING = "???"  # Hydra's word for a figure that must be given
LEAST_QUEUE_BYTES = 30_000


@dataclass(frozen=True)
class Channel:
    """What is known of a link; the way up goes from the device to the server.

    Attributes:
        name: of the preset.
        up_bit_s: rate of the way up, headers included.
        down_bit_s: the same of the way down.
        round_trip_s: of an empty packet on the idle link, half of it each way.
        jitter_s: mean of a random (exponential) delay added to each packet, order kept.
        loss: share of the packets lost, 0..1, in each direction.
        burst_packets: mean length of a burst of losses; ``None``: packets are lost independently.
        queue_bytes: before packets are dropped; ``None``: rate times round trip, at least 30 kB.
        mtu_bytes: largest packet, with IP and transport headers.
        up_trace: mahimahi file that takes the place of ``up_bit_s``.
        down_trace: the same of ``down_bit_s``.
        source: where each figure comes from.
    """

    up_bit_s: float
    down_bit_s: float
    round_trip_s: float
    jitter_s: float = 0.0
    loss: float = 0.0
    burst_packets: float | None = None
    queue_bytes: float | None = None
    mtu_bytes: int = 1500
    up_trace: str | None = None
    down_trace: str | None = None
    name: str = "custom"
    source: str = ""

    def __post_init__(self) -> None:
        for key in ("up_bit_s", "down_bit_s"):
            _check(key, getattr(self, key), 0 < getattr(self, key), "above 0")
        for key in ("round_trip_s", "jitter_s", "queue_bytes"):
            value = getattr(self, key)
            _check(key, value, value is None or value >= 0, "0 or more")
        _check("loss", self.loss, 0 <= self.loss < 1, "at least 0 and below 1")
        shortest = 1.0
        burst = self.burst_packets
        _check("burst_packets", burst, burst is None or burst >= shortest, "at least 1")
        _check("mtu_bytes", self.mtu_bytes, 100 <= self.mtu_bytes <= 65_535, "100 to 65535")

    @property
    def queue(self) -> float:
        """Bytes that fit in the queue."""
        if self.queue_bytes is not None:
            return self.queue_bytes
        return max(self.up_bit_s * self.round_trip_s / 8, LEAST_QUEUE_BYTES)


def _check(key: str, value: object, right: bool, wanted: str) -> None:
    if not right:
        raise ValueError(f"channel.{key}={value} is not {wanted}")
