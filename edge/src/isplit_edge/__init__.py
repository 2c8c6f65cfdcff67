"""Head and codec on a device, tail at a server, the whole net on the device when it is gone."""

from isplit_edge.adaptive import AdaptiveDevice
from isplit_edge.device import Answer, Device
from isplit_edge.server import RefusedError

__all__ = ["AdaptiveDevice", "Answer", "Device", "RefusedError"]
