"""How far the prediction is off for nets that a device was not fitted to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isplit.devices.fitting import CALIBRATION_NETS, FEWEST_NETS, Net, calibration, fit
from isplit.devices.measurements import Systems
from isplit.types import Work


@dataclass(frozen=True)
class Predicted:
    """A net, measured and predicted."""

    net: Net
    measured_ms: float
    predicted_ms: float

    @property
    def error(self) -> float:
        """Relative to what was measured."""
        return abs(self.predicted_ms - self.measured_ms) / self.measured_ms


@dataclass(frozen=True)
class HeldOut:
    """A system fitted to some nets (``calibration``), and what that predicts for the others."""

    system: str
    precision: str
    calibration: tuple[Net, ...]
    nets: tuple[Predicted, ...]

    @property
    def errors(self) -> list[float]:
        """Relative error of each held-out net."""
        return [net.error for net in self.nets]


def hold_out(systems: Systems, works: Mapping[Net, Work]) -> list[HeldOut]:
    """Each system fitted to four of its nets, the rest predicted; smaller systems are left out.

    Raises:
        ValueError: no system has more than four nets.
    """
    enough = {key: nets for key, nets in systems.items() if len(nets) > CALIBRATION_NETS}
    if not enough:
        most = max(map(len, systems.values()), default=0)
        raise ValueError(
            f"no system has more than {CALIBRATION_NETS} nets at one precision (the most is "
            f"{most}): {CALIBRATION_NETS} are to fit to, the rest to predict"
        )
    return [
        _held_out(key, nets, calibration(list(nets), works), list(nets), works)
        for key, nets in enough.items()
    ]


def hold_out_families(systems: Systems, works: Mapping[Net, Work]) -> list[HeldOut]:
    """Each family of nets of each system, predicted from four nets of the other families."""
    found = []
    for key, nets in systems.items():
        for name in sorted({family(net.model) for net in nets}):
            inside = [net for net in nets if family(net.model) == name]
            others = [net for net in nets if net not in inside]
            if len({works[net] for net in others}) >= FEWEST_NETS:
                chosen = calibration(others, works)
                found.append(_held_out(key, nets, chosen, inside, works))
    return found


def family(model: str) -> str:
    """The family of a net.

    >>> family("mobilenet_v3_small"), family("resnet50"), family("efficientnet_b0")
    ('mobilenet_v3', 'resnet', 'efficientnet')
    """
    match = re.match(r"[a-z]+(_v\d+)?", model.lower())
    return match[0] if match else model


def document(found: Sequence[HeldOut]) -> dict[str, Any]:
    """Every system as plain values, as ``--json`` writes them."""
    return {"systems": [_system(one) for one in found]}


def quantiles(errors: Sequence[float]) -> tuple[float, float]:
    """Median and 90th percentile."""
    return float(np.median(errors)), float(np.quantile(errors, 0.9))


def _held_out(
    key: tuple[str, str],
    nets: Mapping[Net, float],
    chosen: Sequence[Net],
    wanted: Sequence[Net],
    works: Mapping[Net, Work],
) -> HeldOut:
    device = fit([works[n] for n in chosen], [nets[n] / 1000 for n in chosen], name=key[0])
    if device.seconds_per_depthwise_mac is None:
        wanted = [net for net in wanted if not works[net].depthwise_macs]
    predicted = [
        Predicted(net, nets[net], 1000 * device.seconds(works[net]))
        for net in wanted
        if net not in chosen
    ]
    return HeldOut(*key, tuple(chosen), tuple(predicted))


def _system(one: HeldOut) -> dict[str, Any]:
    nets = [
        asdict(n.net) | {"measured_ms": n.measured_ms, "predicted_ms": n.predicted_ms}
        for n in one.nets
    ]
    chosen = [asdict(net) for net in one.calibration]
    return {
        "system": one.system,
        "precision": one.precision,
        "calibration": chosen,
        "nets": nets,
    }
