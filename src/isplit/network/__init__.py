"""How long frames take over a link: channels, transfers over TCP and UDP, devices and a server."""

from isplit.network.channel import Channel, load_channel
from isplit.network.frames import simulate
from isplit.network.link import carriers, erased, lost_packets
from isplit.network.setting import Arrival, Power, Setting, Work
from isplit.network.tcp import connect, transfer
from isplit.network.transport import Tcp, Udp

__all__ = ["Arrival", "Channel", "Power", "Setting", "Tcp", "Udp", "Work"]
__all__ += ["carriers", "connect", "erased", "load_channel", "lost_packets", "simulate", "transfer"]
