"""Which coefficients of a payload are gone when packets are lost.

A mask is all that decoding and classifying need: the accuracy under loss is then measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isplit.network.channel import Channel
from isplit.network.limits import check_choice
from isplit.network.loss import Losses

LAYOUTS = ("contiguous", "interleaved")


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
