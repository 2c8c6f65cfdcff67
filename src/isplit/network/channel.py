"""The link between device and server as figures, and the presets of ``conf/channel``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from isplit.presets import FROM_0, FROM_1, check, load_preset

MOST_LOSS = 0.99
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
        burst_packets: mean length of a burst of losses, at least the 1 / (1 - loss) of independent
            ones; ``None``: packets are lost independently.
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
        check(self, "channel", up_bit_s=FROM_1, down_bit_s=FROM_1, round_trip_s=FROM_0)
        check(self, "channel", jitter_s=FROM_0, queue_bytes=FROM_0, mtu_bytes=(100, 65_535))
        check(self, "channel", loss=(0, MOST_LOSS))
        check(self, "channel", burst_packets=(1 / (1 - self.loss), math.inf))

    @property
    def queue(self) -> float:
        """Bytes that fit in the queue."""
        if self.queue_bytes is not None:
            return self.queue_bytes
        return max(self.up_bit_s * self.round_trip_s / 8, LEAST_QUEUE_BYTES)


def load_channel(name: str, **figures: Any) -> Channel:
    """The channel of a preset of ``conf/channel``, or of a YAML file, with some figures changed.

    Raises:
        ValueError: see :func:`isplit.presets.load_preset`.

    >>> load_channel("geo_satellite", loss=0.01).round_trip_s
    0.6
    """
    return load_preset(Channel, name, "channel", **figures)
