"""One direction of a channel: when a packet that is sent now comes out, or that it never does."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from isplit.network.channel import Channel
from isplit.network.loss import Losses
from isplit.network.trace import Opportunities


@dataclass
class Link:
    """A queue that drops what does not fit, a wire of some rate, a delay, and losses at its end.

    Packets keep their order: jitter adds an exponential delay, and who would overtake waits.
    A rate is in bit/s, or follows the opportunities of a trace. The queue is ``queue_bytes`` beside
    the packet that is being sent.
    """

    rate: float | Opportunities
    delay_s: float
    jitter_s: float
    queue_bytes: float
    mtu_bytes: int
    slot_s: float  # of a full packet
    losses: Losses
    rng: np.random.Generator
    free_s: float = 0.0
    carried_bytes: int = 0
    _latest_s: float = 0.0
    _leaving: deque[tuple[float, int]] = field(default_factory=deque)

    def send(self, now_s: float, packet_bytes: int) -> float | None:
        """Seconds at which the packet arrives; ``None`` when it is dropped or lost."""
        if self._queued_bytes(now_s) + packet_bytes > self.queue_bytes + self.mtu_bytes:
            return None
        before_s, self.free_s = self.free_s, self._leaves(now_s, packet_bytes)
        self.carried_bytes += packet_bytes
        if self.losses.next(max(1.0, (self.free_s - before_s) / self.slot_s)):
            return None
        arrival_s = self.free_s + self.delay_s
        if self.jitter_s:
            arrival_s += self.rng.exponential(self.jitter_s)
            self._latest_s = arrival_s = max(arrival_s, self._latest_s)
        return arrival_s

    def reseed(self, rng: np.random.Generator) -> None:
        """Draw all chance from here on from ``rng``."""
        self.rng = self.losses.rng = rng

    def _queued_bytes(self, now_s: float) -> float:
        if not isinstance(self.rate, Opportunities):
            return max(0.0, self.free_s - now_s) * self.rate / 8
        while self._leaving and self._leaving[0][0] <= now_s:
            self._leaving.popleft()
        return sum(size for _, size in self._leaving)

    def _leaves(self, now_s: float, packet_bytes: int) -> float:
        if not isinstance(self.rate, Opportunities):
            return max(now_s, self.free_s) + packet_bytes * 8 / self.rate
        leaves_s = self.rate.carry(now_s, packet_bytes)
        self._leaving.append((leaves_s, packet_bytes))
        return leaves_s


def links(channel: Channel, rng: np.random.Generator) -> tuple[Link, Link]:
    """The way up (device to server) and the way down of a channel, both idle."""
    ways = (channel.up_bit_s, channel.up_trace), (channel.down_bit_s, channel.down_trace)
    up, down = (
        Link(
            rate=Opportunities(trace) if trace else rate_bit_s,
            delay_s=channel.round_trip_s / 2,
            jitter_s=channel.jitter_s,
            queue_bytes=channel.queue,
            mtu_bytes=channel.mtu_bytes,
            slot_s=channel.mtu_bytes * 8 / rate_bit_s,
            losses=Losses(channel.loss, channel.burst_packets, rng),
            rng=rng,
        )
        for rate_bit_s, trace in ways
    )
    return up, down
