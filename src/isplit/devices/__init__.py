"""Devices: how long they take for a piece of a net, and what that costs in energy."""

from isplit.devices.device import Device, load_device
from isplit.devices.fitting import fit
from isplit.point import Work

__all__ = ["Device", "Work", "fit", "load_device"]
