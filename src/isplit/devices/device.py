"""A device: three times, from which the latency of any net or piece of a net is predicted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from isplit.point import Work
from isplit.presets import FINITE, check, load_preset

TIMES = ("seconds_per_dense_mac", "seconds_per_depthwise_mac", "seconds_per_layer")


@dataclass(frozen=True)
class Device:
    """How fast a device runs one image, at one precision, with one runtime.

    Attributes:
        name: of the preset or the measured system.
        seconds_per_dense_mac: for one multiply-accumulate that is not depthwise.
        seconds_per_depthwise_mac: for a depthwise one; ``None``: never measured.
        seconds_per_layer: for starting one operation.
        hardware: what was measured.
        runtime: the software and its threads.
        precision: ``fp32``, ``fp16``, ``int8`` as the source says.
        statistic: what the measured latencies are (mean, median, average of 10 ...).
        nets: how many nets the times were fitted to.
        error: median relative error for nets that were held out; ``None``: none were.
        power_W: power while it computes; ``None``: nobody measured it.
        power_kind: where the power was measured (wall, rail) and at what load.
        memory_bytes: memory for weights and features; ``None``: not given.
        source: where every figure is from.
        date: of the source.
        confidence: ``measured``, or ``weak: ...`` with what is missing.
        measured: latencies that the times were fitted to, in ms, by net (``resnet50@224``).
    """

    name: str
    seconds_per_dense_mac: float
    seconds_per_depthwise_mac: float | None
    seconds_per_layer: float
    hardware: str = ""
    runtime: str = ""
    precision: str = ""
    statistic: str = ""
    nets: int = 0
    error: float | None = None
    power_W: float | None = None  # noqa: N815
    power_kind: str | None = None
    memory_bytes: float | None = None
    source: str = ""
    date: str = ""
    confidence: str = ""
    measured: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = [
            key for key in TIMES if key != TIMES[1] or self.seconds_per_depthwise_mac is not None
        ]
        check(self, "device", **dict.fromkeys((*given, "error", "power_W", "memory_bytes"), FINITE))
        if not any(getattr(self, key) for key in TIMES):
            raise ValueError(f"device.{TIMES[0]}=0: {self.name} would take no time for anything")
        if self.power_W is not None and not self.power_kind:
            raise ValueError(f"device.power_kind of {self.name} must say how power_W was measured")

    def seconds(self, work: Work) -> float:
        """Predicted time for one image.

        Raises:
            ValueError: the work has depthwise convolutions, of which the device knows nothing.
        """
        if work.depthwise_macs and self.seconds_per_depthwise_mac is None:
            raise ValueError(
                f"device={self.name} was fitted to nets without depthwise convolutions and says "
                "nothing about one that has them: measure such a net too"
            )
        return (
            self.seconds_per_dense_mac * work.dense_macs
            + (self.seconds_per_depthwise_mac or 0.0) * work.depthwise_macs
            + self.seconds_per_layer * work.layers
        )

    def anchored(self, work: Work, seconds: float) -> Device:
        """This device as it is for one net: all times by the factor that makes the net exact.

        Nets of one family are off in the same direction; of a net that was measured whole, heads
        and tails are predicted much better so (``benchmarks/devices.py``).

        Args:
            work: of the whole net.
            seconds: measured.

        Raises:
            ValueError: the time, or the one predicted, is not above 0.
        """
        if not seconds > 0 or not math.isfinite(seconds) or not self.seconds(work) > 0:
            raise ValueError(f"device={self.name} cannot be anchored to a net of {seconds!r} s")
        known = {key: getattr(self, key) for key in TIMES if getattr(self, key) is not None}
        factor = seconds / self.seconds(work)
        return replace(self, **{key: value * factor for key, value in known.items()})

    def joules(self, seconds: float) -> float | None:
        """Energy of computing for so long; ``None`` where no power was measured."""
        return None if self.power_W is None else self.power_W * seconds


def load_device(name: str, key: str = "device") -> Device:
    """The device of a preset of ``conf/device``, or of a YAML file.

    Args:
        key: that the user typed.

    Raises:
        ValueError: see :func:`isplit.presets.load_preset`.

    >>> load_device("pi4").power_kind
    'wall, SPEC PTDaemon, mean of a ResNet-50 run'
    """
    return load_preset(Device, name, "device", key)
