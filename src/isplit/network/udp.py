"""Frames as bare UDP packets: when one is complete, and which packets of it are lost."""

from __future__ import annotations

from dataclasses import dataclass

from isplit.network.link import Link
from isplit.network.transport import IP_UDP_BYTES, Udp

HEADERS_BYTES = IP_UDP_BYTES + 12  # ours: frame, packet, packets of the frame


@dataclass(frozen=True)
class Datagrams:
    """What became of a frame sent as packets.

    Attributes:
        delivered_s: when the receiver uses the frame; ``None``: never.
        left_s: when the last byte left the sender's queue.
        wire_bytes: sent, with headers.
        lost: of each packet, whether it is lost.
    """

    delivered_s: float | None
    left_s: float
    wire_bytes: int
    lost: tuple[bool, ...]


def packet_sizes(payload_bytes: int, mtu_bytes: int) -> list[int]:
    """Bytes of payload in each packet of a frame, as equal as can be."""
    room = mtu_bytes - HEADERS_BYTES
    packets = -(-payload_bytes // room)
    return [
        payload_bytes * (i + 1) // packets - payload_bytes * i // packets for i in range(packets)
    ]


def send_datagrams(link: Link, udp: Udp, now_s: float, payload_bytes: int) -> Datagrams:
    """Send a frame that is ready at ``now_s``, each packet when the one before has left.

    The channel keeps order, so a receiver that has the last packet knows what is missing; without
    it, it waits ``patience_s`` after the last that came.
    """
    came_s, lost, wire_bytes = now_s, [], 0
    for size in packet_sizes(payload_bytes, link.mtu_bytes):
        packet_bytes = size + HEADERS_BYTES
        arrival_s = link.send(max(now_s, link.free_s), packet_bytes)
        came_s = came_s if arrival_s is None else arrival_s
        lost.append(arrival_s is None)
        wire_bytes += packet_bytes
    delivered_s = came_s + (udp.patience_s if lost[-1] else 0.0)
    used = not all(lost) and (udp.partial == "fill" or not any(lost))
    return Datagrams(delivered_s if used else None, link.free_s, wire_bytes, tuple(lost))
