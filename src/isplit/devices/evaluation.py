"""How far the prediction is off for nets that a device was not fitted to."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from isplit.devices.fitting import CALIBRATION_NETS, FEWEST_NETS, Net, calibration, fit
from isplit.devices.measurements import Systems
from isplit.point import Work


@dataclass(frozen=True)
class HeldOut:
    """A system fitted to some nets (``calibration``), and ms measured and predicted for others."""

    system: str
    precision: str
    calibration: tuple[Net, ...]
    nets: Mapping[Net, tuple[float, float]]

    @property
    def errors(self) -> list[float]:
        """Error of each held-out net, relative to what was measured."""
        return [abs(predicted / measured - 1) for measured, predicted in self.nets.values()]

    def document(self) -> dict[str, Any]:
        """The same as plain values, as ``--json`` writes them."""
        nets = [
            asdict(net) | {"measured_ms": measured, "predicted_ms": predicted}
            for net, (measured, predicted) in self.nets.items()
        ]
        return asdict(replace(self, nets={})) | {"nets": nets}


def hold_out(systems: Systems, works: Mapping[Net, Work]) -> list[HeldOut]:
    """Each system fitted to four of its nets, the rest predicted; smaller systems are left out.

    Raises:
        ValueError: no system has more than four nets, or none that the four can predict.
    """
    enough = {key: nets for key, nets in systems.items() if len(nets) > CALIBRATION_NETS}
    if not enough:
        most = max(map(len, systems.values()), default=0)
        raise ValueError(
            f"no system has more than {CALIBRATION_NETS} nets at one precision (the most is "
            f"{most}): {CALIBRATION_NETS} are to fit to, the rest to predict"
        )
    found = [_held_out(key, nets, list(nets), list(nets), works) for key, nets in enough.items()]
    if not (found := [one for one in found if one.nets]):
        raise ValueError("no net is left to predict: those beside the four have other layers")
    return found


def hold_out_families(systems: Systems, works: Mapping[Net, Work]) -> dict[str, list[HeldOut]]:
    """Each family of nets, on each system predicted from four nets of the other families."""
    found: dict[str, list[HeldOut]] = {}
    for key, nets in systems.items():
        for name in {family(net.model) for net in nets}:
            inside = [net for net in nets if family(net.model) == name]
            others = [net for net in nets if net not in inside]
            if len({works[net] for net in others}) >= FEWEST_NETS:
                held_out = _held_out(key, nets, others, inside, works)
                if held_out.nets:
                    found.setdefault(name, []).append(held_out)
    return dict(sorted(found.items()))


def family(model: str) -> str:
    """The family of a net.

    >>> family("mobilenet_v3_small"), family("resnet50"), family("efficientnet_b0")
    ('mobilenet_v3', 'resnet', 'efficientnet')
    """
    match = re.match(r"[a-z]+(_v\d+)?", model.lower())
    return match[0] if match else model


def summary(title: str, found: Sequence[HeldOut]) -> str:
    """Median and 90th percentile of the errors, over systems and over all nets, as a line."""
    middle, high = np.quantile([median(one.errors) for one in found], (0.5, 0.9))
    pooled = np.quantile([error for one in found for error in one.errors], (0.5, 0.9))
    return (
        f"{title}: median error of a system {middle:.1%} (90th percentile of systems {high:.1%}); "
        f"over all nets {pooled[0]:.1%} (90th percentile {pooled[1]:.1%})"
    )


def _held_out(
    key: tuple[str, str],
    ms: Mapping[Net, float],
    candidates: Sequence[Net],
    wanted: Sequence[Net],
    works: Mapping[Net, Work],
) -> HeldOut:
    chosen = calibration(candidates, works)
    device = fit([works[net] for net in chosen], [ms[net] / 1000 for net in chosen], name=key[0])
    can = device.seconds_per_depthwise_mac is not None
    rest = [net for net in wanted if net not in chosen and (can or not works[net].depthwise_macs)]
    return HeldOut(
        *key, tuple(chosen), {net: (ms[net], 1000 * device.seconds(works[net])) for net in rest}
    )
