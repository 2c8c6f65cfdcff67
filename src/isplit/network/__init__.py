"""How long frames take over a link: channels, transfers over TCP and UDP, devices and a server."""

from isplit.network.arrivals import Arrival
from isplit.network.channel import Channel
from isplit.network.erasure import carriers, erased, lost_packets
from isplit.network.frames import simulate
from isplit.network.presets import load_channel, preset_names
from isplit.network.setting import Power, Setting, Work
from isplit.network.summary import Fate, Frame, Summary
from isplit.network.tcp import Transfer, connect, transfer
from isplit.network.transport import Tcp, Udp

__all__ = [
    "Arrival",
    "Channel",
    "Fate",
    "Frame",
    "Power",
    "Setting",
    "Summary",
    "Tcp",
    "Transfer",
    "Udp",
    "Work",
    "carriers",
    "connect",
    "erased",
    "load_channel",
    "lost_packets",
    "preset_names",
    "simulate",
    "transfer",
]
