"""Which packets are lost, independently or in bursts, and which coefficients go with them.

A mask is all that decoding and classifying need: the accuracy under loss is then measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isplit.network.channel import Channel
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
        self.loss, self.rng = loss, rng
        # what a packet's fate tells of the next one: 1 - P(good to bad) - P(bad to good)
        self.memory = 1 - 1 / (burst_packets * (1 - loss)) if burst_packets else 0.0
        self.bad = bool(rng.random() < loss)

    def next(self, packets: float = 1.0) -> bool:
        """Whether a packet is lost that is sent ``packets`` full packets after the last one."""
        if not self.loss:
            return False
        chance = self.loss
        if self.memory:
            chance += (self.bad - self.loss) * self.memory**packets
        self.bad = bool(self.rng.random() < chance)
        return self.bad


def lost_packets(
    channel: Channel, frames: int, packets: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Of each packet of each frame (frames, packets), whether the channel loses it.

    Frames follow each other, so a burst may reach into the next one.
    """
    losses = Losses(channel.loss, channel.burst_packets, rng)
    drawn = [losses.next() for _ in range(frames * packets)]
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
