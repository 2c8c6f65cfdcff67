"""Devices: how long they take for a piece of a net, and what that costs in energy."""

from isplit.devices.device import Device
from isplit.devices.fitting import fit
from isplit.devices.presets import load_device, preset_names, save_device
from isplit.point import Work

__all__ = ["Device", "Work", "fit", "load_device", "preset_names", "save_device"]
