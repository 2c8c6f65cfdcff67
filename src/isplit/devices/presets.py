"""Devices by name: the files of ``conf/device``, and any file of that layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path

import yaml

from isplit.devices.device import Device
from isplit.files import write_text


def preset_folder() -> Path:
    """Where the presets of devices are."""
    here = Path(__file__)  # in the wheel conf/ lies in the package, in a checkout beside src/
    places = [here.parents[up] / "conf" / "device" for up in (1, 3)]
    return next((place for place in places if place.is_dir()), places[-1])


def preset_names() -> list[str]:
    """The names that :func:`load_device` knows."""
    return sorted(path.stem for path in preset_folder().glob("*.yaml"))


def load_device(name: str) -> Device:
    """The device of a preset, or of a YAML file (``name`` ends in ``.yaml``).

    Raises:
        ValueError: there is no such preset, or the file does not describe a device.

    >>> load_device("pi4").power_kind
    'wall, SPEC PTDaemon, mean of a ResNet-50 run'
    """
    path = Path(name) if name.endswith(".yaml") else preset_folder() / f"{name}.yaml"
    if not path.is_file():
        choices = ", ".join(preset_names())
        raise ValueError(f"device={name!r} is neither a file nor one of: {choices}")
    try:
        return device_from(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"device={name!r}: {error}") from error


def device_from(figures: object) -> Device:
    """The device that a mapping of its fields describes, such as a config group of Hydra.

    Raises:
        ValueError: a field is unknown, missing or cannot be.
    """
    if not isinstance(figures, Mapping):
        raise ValueError("does not hold keys and values")
    known = {f.name: f for f in fields(Device)}
    if unknown := sorted(map(str, set(figures) - set(known))):
        raise ValueError(f"device.{unknown[0]} is unknown; known are {', '.join(known)}")
    for key, spec in known.items():
        if key not in figures and spec.default is MISSING and spec.default_factory is MISSING:
            raise ValueError(f"device.{key} must be given")
    return Device(**{str(key): value for key, value in figures.items()})


def save_device(device: Device, path: Path) -> None:
    """Write a device as a file that :func:`load_device` and Hydra read, whole or not at all."""
    document = asdict(device) | {"measured": dict(device.measured)}
    write_text(path, yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100))
