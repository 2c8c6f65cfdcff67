"""What a transport is set to: TCP as Linux has it, or bare UDP packets."""

from __future__ import annotations

import math
from dataclasses import dataclass

from isplit.network.limits import ABOVE_0, FROM_0, FROM_1, check, check_choice

IP_UDP_BYTES = 28
IP_TCP_BYTES = 52  # with time stamps
CONTROLS = ("cubic", "reno")
PARTIAL = ("fill", "drop")


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
        check(self, "tcp", initial_window=FROM_1, rto_min_s=ABOVE_0, delayed_ack_s=ABOVE_0)
        check(self, "tcp", sack_delay_s=FROM_0, tick_s=ABOVE_0, undisturbed_s=ABOVE_0)


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
