"""A channel from measurements of the user's own link, with ``peer`` at the other end."""

import contextlib
import math
import socket
import statistics
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import groupby

from isplit.network.channel import Channel
from isplit.network.peer import ECHOED_BYTES, LONGEST_S, received_bytes, send_until
from isplit.network.transport import IP_TCP_BYTES, IP_UDP_BYTES

PACKET_BYTES = 1200
PAUSE_S = 0.005  # between two packets, or as long as APART of them take: none waits for another
APART = 4
LAST_WAIT_S = 1.0
STREAMS = 16
MOST_PACKETS = 20_000
FURTHER = 1000
ENOUGH_LOST = 64  # echoes: the loss is known to a quarter of itself
Z = 1.96  # of a normal distribution: 95 % are within
FEWEST_LOSSES = 20  # from which on the length of bursts is worth saying
MTU_BYTES = 1500


def measure(host: str, port: int, seconds: float, packets: int) -> Channel:
    """The channel to a peer: rates by TCP, round trip, jitter and loss by spaced UDP packets.

    The round trip is the shortest one seen, without the time that the bits of a packet and its echo
    take on their own, jitter is half of what the mean has beyond it. A packet
    and its echo pass two ways, which are taken to lose equally. Where some are lost, more are sent
    until the loss is known to a quarter of itself, 20,000 at most.

    Raises:
        ValueError: nobody answers, no packet comes back, or the measurement is too long.
    """
    if not 0 < seconds <= LONGEST_S or packets < 1:
        raise ValueError(
            f"seconds={seconds} is not within 0 and {LONGEST_S:g}, or packets={packets} is below 1"
        )
    try:
        up_bit_s, down_bit_s = (_rate(host, port, seconds, way) for way in ("up", "down"))
        ways = ((PACKET_BYTES, up_bit_s), (ECHOED_BYTES, down_bit_s))
    except (OSError, ValueError) as error:
        raise ValueError(f"no peer answers at {host} port {port}: {error}") from error
    own_s = sum(8 * (size + IP_UDP_BYTES) / rate for size, rate in ways)
    pause_s = max(PAUSE_S, APART * own_s)
    trips_s = _echoes(host, port, packets, pause_s)
    while 0 < trips_s.count(None) < min(ENOUGH_LOST, len(trips_s)) and len(trips_s) < MOST_PACKETS:
        trips_s += _echoes(host, port, FURTHER, pause_s)
    came = [trip_s for trip_s in trips_s if trip_s is not None]
    if not came:
        raise ValueError(f"no UDP packet came back from {host} port {port}: is it let through?")
    return Channel(
        up_bit_s=up_bit_s,
        down_bit_s=down_bit_s,
        round_trip_s=round(max(0.0, min(came) - own_s), 6),
        jitter_s=round((statistics.fmean(came) - min(came)) / 2, 6),
        loss=round(1 - (len(came) / len(trips_s)) ** 0.5, 6),
        burst_packets=_burst(trips_s),
        name="measured",
        source=f"python -m isplit.network measure {host}, {date.today()}: {seconds:g} s of "
        f"{STREAMS} TCP streams each way, {len(trips_s)} UDP packets of {PACKET_BYTES} bytes; loss "
        f"{_interval(len(trips_s) - len(came), len(trips_s))}; the queue was not measured",
    )


def _interval(lost: int, sent: int) -> str:
    """Where the loss of one way is, at 95 %, by Wilson's score."""
    middle, half = lost + Z**2 / 2, Z * math.sqrt(lost * (1 - lost / sent) + Z**2 / 4)
    low, high = (1 - math.sqrt(1 - (middle + x) / (sent + Z**2)) for x in (-half, half))
    return f"{abs(low):.2%} to {high:.2%} (95 % interval)"


def _rate(host: str, port: int, seconds: float, way: str) -> int:
    """In bit/s with headers, ``up`` or ``down``; of one stream, losses are the limit.

    All streams are counted over the same time, the second half of ``seconds``.
    """
    with _connection(host, port, "clock") as asked:
        ahead_s = float(asked.recv(64)) - time.monotonic()
    begin_s, end_s = (time.monotonic() + part * seconds for part in (0.5, 1))
    line = f"{way} {begin_s + ahead_s} {end_s + ahead_s}"

    def stream(_: int) -> int:
        with _connection(host, port, line) as opened:
            if way == "down":
                return received_bytes(opened, begin_s, end_s)
            send_until(opened, end_s)
            opened.settimeout(LONGEST_S)
            return int(opened.recv(64))

    with ThreadPoolExecutor(STREAMS) as pool:
        carried = sum(pool.map(stream, range(STREAMS)))
    if not carried:
        raise ValueError(f"nothing came {way} in {seconds:g} s")
    return round(16 / seconds * carried * MTU_BYTES / (MTU_BYTES - IP_TCP_BYTES))


def _connection(host: str, port: int, line: str) -> socket.socket:
    """One to the peer that was asked this; what it has not sent when it is closed stays unsent."""
    opened = socket.create_connection((host, port), timeout=LONGEST_S)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    opened.sendall(f"{line}\n".encode())
    return opened


def _echoes(host: str, port: int, packets: int, pause_s: float) -> list[float | None]:
    """Round trip of each packet; ``None``: it did not come back."""
    sent_s: list[float] = []
    trips_s: list[float | None] = [None] * packets
    with _connection(host, port, "clock") as asked:  # of a name's addresses the one that answers
        family, address = asked.family, asked.getpeername()
    with socket.socket(family, socket.SOCK_DGRAM) as link:
        link.connect(address)

        def collect(wait_s: float) -> None:
            end_s = time.monotonic() + wait_s
            while (left_s := end_s - time.monotonic()) > 0:
                link.settimeout(left_s)
                with contextlib.suppress(OSError):  # time is up, or nobody listens there
                    number = int.from_bytes(link.recv(64))
                    trips_s[number] = time.monotonic() - sent_s[number]

        for number in range(packets):
            sent_s.append(time.monotonic())
            with contextlib.suppress(OSError):
                link.send(number.to_bytes(ECHOED_BYTES).ljust(PACKET_BYTES, b"\0"))
            collect(pause_s)
        for waited_s in (0.0, LAST_WAIT_S):
            longest_s = max(filter(None, trips_s), default=0.0)
            collect(max(LAST_WAIT_S, 2 * longest_s) - waited_s)
    return trips_s


def _burst(trips_s: list[float | None]) -> float | None:
    """Mean length of a run of losses, if longer than independent losses have it."""
    runs = [sum(1 for _ in run) for lost, run in groupby(t is None for t in trips_s) if lost]
    if sum(runs) < FEWEST_LOSSES:
        return None
    length, independent = sum(runs) / len(runs), 1 / (1 - sum(runs) / len(trips_s))
    return round(length, 2) if length > 1.2 * independent else None
