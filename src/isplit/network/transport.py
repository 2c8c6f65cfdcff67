"""What a transport is set to, TCP as Linux has it or bare UDP packets; and frames over UDP."""

import math
from dataclasses import dataclass

from isplit.network.link import Link
from isplit.presets import ABOVE_0, COUNT, FROM_0, check, check_choice

IP_UDP_BYTES = 28
IP_TCP_BYTES = 52  # with time stamps
CONTROLS = ("cubic", "reno")
PARTIAL = ("fill", "drop")
HEADERS_BYTES = IP_UDP_BYTES + 12  # ours: frame, packet, packets of the frame


@dataclass(frozen=True)
class Tcp:
    """What a TCP is set to; the defaults are those of Linux 6.

    Attributes:
        congestion_control: ``cubic`` or ``reno``.
        initial_window: segments that may be sent before anything is acknowledged.
        rto_min_s: least part of a retransmission timeout beside the round trip.
        delayed_ack_s: longest wait of a receiver for a second segment.
        sack_delay_s: longest wait of a receiver that has told of a gap three times.
        tick_s: of the kernel's clock (250 Hz), to which timers are rounded.
        hystart: whether CUBIC leaves slow start before the first loss.
        fast_retransmit: whether losses are seen from acknowledgements; else by timeouts alone.
        undisturbed_s: how long, on average, hosts work without a pause of some milliseconds; such
            pauses hide trains of acknowledgements from HyStart. Infinite: idle hosts.
        idle_restart: whether a connection that was idle for a timeout shrinks its window.
    """

    congestion_control: str = "cubic"
    initial_window: int = 10
    rto_min_s: float = 0.2
    delayed_ack_s: float = 0.04
    sack_delay_s: float = 0.001
    tick_s: float = 0.004
    hystart: bool = True
    fast_retransmit: bool = True
    idle_restart: bool = True
    undisturbed_s: float = math.inf

    def __post_init__(self) -> None:
        check_choice(self.congestion_control, "tcp.congestion_control", CONTROLS)
        check(self, "tcp", initial_window=COUNT, rto_min_s=ABOVE_0, delayed_ack_s=ABOVE_0)
        check(self, "tcp", sack_delay_s=FROM_0, tick_s=ABOVE_0, undisturbed_s=(1e-9, math.inf))


@dataclass(frozen=True)
class Udp:
    """What a receiver of UDP packets does.

    Attributes:
        partial: a frame with missing packets is used (``fill``) or thrown away (``drop``).
        patience_s: how long it waits after a packet for the rest of the frame.
    """

    partial: str = "fill"
    patience_s: float = 0.02

    def __post_init__(self) -> None:
        check_choice(self.partial, "udp.partial", PARTIAL)
        check(self, "udp", patience_s=FROM_0)


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
