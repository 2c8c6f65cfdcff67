"""Where a frame is computed and what lies between, from the keys that the user typed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from isplit.devices import Device, load_device
from isplit.devices.fitting import Net
from isplit.devices.measure import works_of
from isplit.network import Channel
from isplit.point import Work
from isplit.presets import preset_names, preset_of
from isplit.requirements import Requirement

SAME_NET = 0.02  # of the multiply-accumulates: by how much the last layer may differ


@dataclass(frozen=True)
class Places:
    """Where a frame is computed, what lies between, what is asked, and the keys of the study."""

    device: Device
    server: Device
    channel: Channel
    requirement: Requirement
    options: Mapping[str, Any]


def places_of(options: Mapping[str, Any]) -> Places:
    """From the keys that the user typed.

    Raises:
        ValueError: device, server or channel is missing, unknown, or cannot be.
    """
    for key, group in (("device", "device"), ("server", "device"), ("channel", "channel")):
        if options[key] is None:
            known = ", ".join(preset_names(group))
            raise ValueError(f"{key}=null: latencies need one of {known}")
    server = load_device(options["server"], "server")
    kinds = {"device": Device, "channel": Channel, "requirement": Requirement}
    given: dict[str, Any] = {key: preset_of(kinds[key], options[key], key) for key in kinds}
    return Places(**given, server=server, options=options)


def anchored(places: Places, config: Mapping[str, Any], whole: Work) -> Places:
    """Device and server scaled to the whole net's measured time, where the user has one.

    A preset that measured this very net is scaled to that.

    Args:
        config: of the job that trained the net.
    """
    model, found = config["model"], {}
    width = "" if model.get("width", 1) == 1 else f"*{model['width']:g}"
    net = f"{model.get('arch') or model['name']}{width}@{config['data']['image_size']}"
    for key in ("device", "server"):
        device, ms = getattr(places, key), places.options[f"{key}_ms"]
        if ms is None and net in device.measured:
            macs = works_of([Net.parse(net)])[Net.parse(net)].dense_macs
            same = abs(macs / max(whole.dense_macs, 1) - 1) < SAME_NET
            ms = device.measured[net] if same else None
        found[key] = device if ms is None else device.anchored(whole, ms / 1000)
    return replace(places, **found)
