"""What becomes of packets on one direction of a channel: queued, lost alone or in bursts."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isplit.network.channel import Channel, Opportunities
from isplit.presets import check_choice

LAYOUTS = ("contiguous", "interleaved")


class Losses:
    """A stream of fates; the mean loss rate is ``loss`` either way.

    Without ``burst_packets`` each packet is lost independently. With it, a good and a bad state
    take turns (Gilbert 1960): what is sent in a bad state is lost, and a bad state lasts for
    ``burst_packets`` full packets on average. It passes with time, sent in or not, so that a
    sender that waits for a timeout does not find the same burst again.
    """

    def __init__(self, loss: float, burst_packets: float | None, rng: np.random.Generator) -> None:
        self.loss = loss
        # what a packet's fate tells of the next one: 1 - P(good to bad) - P(bad to good)
        self.memory = 1 - 1 / (burst_packets * (1 - loss)) if burst_packets else 0.0
        self.bad: float = rng.random() < loss  # or, before anything was sent, how likely that is

    def next(self, rng: np.random.Generator, packets: float = 1.0) -> bool:
        """Whether a packet is lost that is sent ``packets`` full packets after the last one."""
        if not self.loss:
            return False
        chance = self.loss + (self.bad - self.loss) * self.memory**packets
        self.bad = bool(rng.random() < chance)
        return self.bad


def lost_packets(
    channel: Channel, frames: int, packets: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Of each packet of each frame (frames, packets), whether the channel loses it.

    Frames follow each other, so a burst may reach into the next one.
    """
    losses = Losses(channel.loss, channel.burst_packets, rng)
    drawn = [losses.next(rng) for _ in range(frames * packets)]
    return np.array(drawn, dtype=np.bool_).reshape(frames, packets)


def carriers(coefficients: int, packets: int, layout: str) -> NDArray[np.int64]:
    """The packet that carries each coefficient, of a payload with equally long coefficients.

    ``contiguous``: slices of the tensor, as equal as can be. ``interleaved``: taken in turn, so
    that neighbours travel apart and a lost packet leaves small holes everywhere.
    """
    check_choice(layout, "layout", LAYOUTS)
    if not 1 <= packets <= coefficients:
        raise ValueError(f"packets={packets} is not within 1 and {coefficients} coefficients")
    places = np.arange(coefficients)
    return places % packets if layout == "interleaved" else places * packets // coefficients


def erased(
    lost: NDArray[np.bool_], carrier: NDArray[np.int64], *, one_stream: bool = False
) -> NDArray[np.bool_]:
    """Of each coefficient of each frame (frames, coefficients), whether it is gone.

    Args:
        lost: (frames, packets), from ``lost_packets``.
        carrier: packet of each coefficient, from ``carriers`` or, where the codec gives
            coefficients different lengths, from the codec.
        one_stream: whether the payload is decoded from its start on (run lengths, ANS), so that
            nothing after the first gap can be read.
    """
    if carrier.min() < 0 or carrier.max() >= lost.shape[1]:
        raise ValueError(f"carrier names packet {carrier.max()}, but there are {lost.shape[1]}")
    if one_stream:
        lost = np.maximum.accumulate(lost, axis=1)
    return lost[:, carrier]


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
        rate, before_s, room_bytes = self.rate, self.free_s, self.queue_bytes + self.mtu_bytes
        if isinstance(rate, Opportunities):
            if self._leaving_bytes(now_s) + packet_bytes > room_bytes:
                return None
            self.free_s = rate.carry(now_s, packet_bytes)
            self._leaving.append((self.free_s, packet_bytes))
        else:
            begin_s = before_s if before_s > now_s else now_s
            if (begin_s - now_s) * rate / 8 + packet_bytes > room_bytes:
                return None
            self.free_s = begin_s + packet_bytes * 8 / rate
        self.carried_bytes += packet_bytes
        if self.losses.loss:
            packets = max(1.0, (self.free_s - before_s) / self.slot_s)
            if self.losses.next(self.rng, packets):
                return None
        arrival_s = self.free_s + self.delay_s
        if self.jitter_s:
            arrival_s += self.rng.exponential(self.jitter_s)
            self._latest_s = arrival_s = max(arrival_s, self._latest_s)
        return arrival_s

    def __getstate__(self) -> dict[str, object]:
        """All but ``rng``: a copy is given its own."""
        return self.__dict__ | {"rng": None}

    def _leaving_bytes(self, now_s: float) -> int:
        while self._leaving and self._leaving[0][0] <= now_s:
            self._leaving.popleft()
        return sum(size for _, size in self._leaving)


def links(channel: Channel, rng: np.random.Generator) -> tuple[Link, Link]:
    """The way up (device to server) and the way down of a channel, both idle."""
    ways = zip(channel.rates_bit_s, (channel.up_trace, channel.down_trace), strict=True)
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
