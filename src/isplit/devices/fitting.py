"""From latencies of a few nets to the three times of a device."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from isplit.devices.device import Device
from isplit.point import Work

CALIBRATION_NETS = 4
FEWEST_NETS = 3
"""As many as there are times to fit."""


@dataclass(frozen=True, order=True)
class Net:
    """A net of torchvision: its name there, its width, the side of its images in pixels."""

    model: str
    width_mult: float
    image_size: int

    def __str__(self) -> str:
        width = "" if self.width_mult == 1 else f"*{self.width_mult:g}"
        return f"{self.model}{width}@{self.image_size}"

    @classmethod
    def parse(cls, text: str) -> Net:
        """The net that a text names.

        >>> Net.parse("mobilenet_v2*0.5@160")
        Net(model='mobilenet_v2', width_mult=0.5, image_size=160)

        Raises:
            ValueError: the text is not like ``resnet50@224``.
        """
        match = re.fullmatch(r"(\w+)(?:\*(\d+\.?\d*))?@(\d+)", text)
        if not match:
            raise ValueError(f"net {text!r} is not like resnet50@224 or mobilenet_v2*0.5@160")
        return cls(match[1], float(match[2] or 1), int(match[3]))


def fit(works: Sequence[Work], seconds: Sequence[float], **facts: Any) -> Device:
    """The device whose times come nearest to measured latencies of whole nets.

    Non-negative least squares on the relative error; a depthwise multiply-accumulate takes at least
    as long as a dense one. Where no net has depthwise convolutions their time stays unknown.

    Args:
        works: of at least three different nets.
        seconds: measured, one per net.
        facts: further fields of :class:`Device` (``name`` must be among them).

    Raises:
        ValueError: fewer than three different nets, or a time that cannot be.
    """
    if len(works) != len(seconds):
        raise ValueError(f"{len(works)} nets and {len(seconds)} latencies")
    if len(set(works)) < FEWEST_NETS:
        raise ValueError(
            f"{len(set(works))} different nets were measured on {facts.get('name')}: three times "
            f"(dense, depthwise, per layer) need at least {FEWEST_NETS}, of different families"
        )
    taken = np.array(seconds, dtype=np.float64)
    if not (np.isfinite(taken) & (taken > 0)).all():
        raise ValueError(f"latencies of {facts.get('name')} must be above 0: {list(seconds)}")
    macs = [w.dense_macs + w.depthwise_macs for w in works]
    depthwise = [w.depthwise_macs for w in works]
    counts = np.array([macs, depthwise, [w.layers for w in works]], dtype=np.float64).T
    dense, extra, layer = _relative_nnls(counts, taken)
    return Device(
        seconds_per_dense_mac=dense,
        seconds_per_depthwise_mac=dense + extra if any(depthwise) else None,
        seconds_per_layer=layer,
        nets=len(works),
        **facts,
    )


def calibration(nets: Sequence[Net], works: Mapping[Net, Work]) -> list[Net]:
    """Four nets to fit to: the smallest, the largest, and two at the thirds between, by MACs."""
    order = sorted(nets, key=lambda n: (works[n].dense_macs + works[n].depthwise_macs, n))
    places = (0, len(order) // 3, 2 * len(order) // 3, len(order) - 1)
    return [order[place] for place in sorted(set(places))]


def _relative_nnls(counts: NDArray[np.float64], seconds: NDArray[np.float64]) -> list[float]:
    """Times x >= 0 with the least sum of ((counts @ x - seconds) / seconds) ** 2."""
    scale = counts.max(axis=0)
    scale[scale == 0] = 1
    solution, _ = nnls(counts / scale / seconds[:, None], np.ones(len(seconds)))
    return [float(value) for value in solution / scale]
