"""Transfers over TCP: one, or a stream of frames over a connection that persists.

A transfer is simulated packet by packet and remembered under the state in which the connection
was; the next one from such a state is looked up. Where chance plays a part, several are made.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from isplit.network.channel import Channel
from isplit.network.connection import Connection
from isplit.network.link import links
from isplit.network.sender import NEVER
from isplit.network.transport import Tcp

VARIANTS = 1024  # transfers made from one state before they are drawn from, where chance plays a part
MOST_MADE = 50_000  # transfers kept
MOST_TIMEOUTS = 8  # after which a window is at its least anyway


@dataclass(frozen=True, eq=False)
class Quiet:
    """A connection on which nothing is under way, and what the next transfer depends on."""

    connection: Connection
    state: tuple[object, ...]
    last_sent_s: float
    timeout_s: float


class Start(NamedTuple):
    """All that decides a transfer: the connection before, its clock, and chance."""

    connection: Connection
    write_s: float
    seed: int


@dataclass(frozen=True)
class Transfer:
    """One payload over a connection on which nothing was under way.

    Attributes:
        delivered_s: from the first byte handed over to the last byte received.
        quiet_s: until the last acknowledgement is back.
        wire_bytes: sent, with headers and repeats.
        repeats: packets sent more than once.
        last_sent_s: from the first byte handed over to the last packet sent.
        left: the connection afterwards, or another in the same state.
        start: what it was made from.
    """

    delivered_s: float
    quiet_s: float
    wire_bytes: int
    repeats: int
    last_sent_s: float
    left: Quiet
    start: Start


def transfer(
    channel: Channel,
    payload_bytes: int,
    tcp: Tcp | None = None,
    *,
    upwards: bool = True,
    seed: int = 0,
) -> Transfer:
    """One payload from the device to the server, on a fresh connection (after the handshake).

    >>> lan = Channel(up_bit_s=1e8, down_bit_s=1e8, round_trip_s=0.01)
    >>> round(transfer(lan, 1000).delivered_s, 6)  # 1052 bytes on the wire and half a round trip
    0.005084
    """
    return _simulate(Start(connect(channel, tcp or Tcp(), upwards=upwards).connection, 0.0, seed), payload_bytes)


def connect(channel: Channel, tcp: Tcp, *, upwards: bool = True) -> Quiet:
    """A fresh connection on an idle channel; its data goes up (device to server) or down."""
    up, down = links(channel, np.random.default_rng(0))
    there, back = (up, down) if upwards else (down, up)
    return _quiet(Connection(there, back, tcp, channel.mtu_bytes))


class Transfers:
    """Transfers of one size, made once for each state of a connection and then drawn from."""

    def __init__(
        self, payload_bytes: int, channel: Channel, tcp: Tcp, rng: np.random.Generator
    ) -> None:
        self.payload_bytes, self.rng = payload_bytes, rng
        chance = channel.loss or channel.jitter_s or tcp.undisturbed_s < NEVER
        self.variants = VARIANTS if chance else 1
        self.lasting = not (channel.up_trace or channel.down_trace)  # a trace has a clock
        self._made: dict[tuple[Quiet, int], list[Transfer]] = {}
        self._left: dict[tuple[object, ...], Quiet] = {}  # one connection for each state
        self._count = 0

    def draw(self, quiet: Quiet, idle_s: float) -> Transfer:
        """A transfer begun ``idle_s`` after the connection sent its last packet."""
        timeouts = min(int(idle_s / quiet.timeout_s), MOST_TIMEOUTS)
        if self._count > MOST_MADE or not self.lasting:
            self._made.clear()
            self._left.clear()
            self._count = 0
        made = self._made.setdefault((quiet, timeouts), [])
        if len(made) == self.variants:
            return made[0 if self.variants == 1 else int(self.rng.random() * self.variants)]
        seed = int(self.rng.integers(1 << 62))
        start = made[0].start if made else Start(quiet.connection, quiet.last_sent_s + idle_s, 0)
        new = _simulate(start._replace(seed=seed), self.payload_bytes)
        made.append(replace(new, left=self.known(new.left)))
        self._count += 1
        return made[-1]

    def known(self, quiet: Quiet) -> Quiet:
        """The same, or an earlier connection in the same state."""
        return self._left.setdefault(quiet.state, quiet)


class Ready(NamedTuple):
    """A frame at the device that waits to be sent."""

    number: int
    arrival_s: float
    start_s: float
    ready_s: float


class Sent(NamedTuple):
    """What became of it; ``delivered_s`` is ``None`` when it is lost."""

    frame: Ready
    delivered_s: float | None
    wire_bytes: int
    missing: int = 0


def stream(
    transfers: Transfers,
    quiet: Quiet,
    frames: Iterable[Ready],
    sent: Callable[[float], None],
) -> Iterator[Sent]:
    """Frames in the order in which they are delivered over one connection that persists.

    A frame that is ready while others are still under way joins them, and all that is then under
    way is simulated together; else its transfer is drawn.

    Args:
        transfers: of the frames' size.
        quiet: a fresh connection.
        frames: in the order in which they get ready.
        sent: told, before the next frame is asked for, when the connection is quiet again.
    """
    waiting = iter(frames)
    frame = next(waiting, None)
    last_sent_s = 0.0
    while frame:
        drawn = transfers.draw(quiet, frame.ready_s - last_sent_s)
        sent(frame.ready_s + drawn.quiet_s)
        following = next(waiting, None)
        if following is None or following.ready_s >= frame.ready_s + drawn.quiet_s:
            yield Sent(frame, frame.ready_s + drawn.delivered_s, drawn.wire_bytes)
            quiet, last_sent_s = drawn.left, frame.ready_s + drawn.last_sent_s
        else:
            connection, clock_s = _begun(drawn.start, transfers.payload_bytes), frame.ready_s - drawn.start.write_s
            following = yield from _together(connection, clock_s, frame, following, waiting, transfers)
            quiet = transfers.known(_quiet(connection))
            last_sent_s = connection.sender.last_sent_s + clock_s
        frame = following


def _together(
    connection: Connection,
    clock_s: float,
    frame: Ready,
    following: Ready | None,
    waiting: Iterator[Ready],
    transfers: Transfers,
) -> Generator[Sent, None, Ready | None]:
    """Frames until none is under way; the first one after that."""
    under_way = deque([frame])
    told_bytes = 0
    while True:
        until_s = following.ready_s - clock_s if following else NEVER
        for delivered_s in connection.run(until_s):
            wire_bytes, told_bytes = connection.wire_bytes - told_bytes, connection.wire_bytes
            yield Sent(under_way.popleft(), delivered_s + clock_s, wire_bytes)
        if following is None or connection.quiet:
            return following
        connection.write(following.ready_s - clock_s, transfers.payload_bytes)
        under_way.append(following)
        following = next(waiting, None)


def _simulate(start: Start, payload_bytes: int) -> Transfer:
    connection = _begun(start, payload_bytes)
    delivered_s = next(connection.run(NEVER))
    for _ in connection.run(NEVER):
        pass
    quiet = _quiet(connection)
    return Transfer(
        delivered_s=delivered_s - start.write_s,
        quiet_s=connection.now_s - start.write_s,
        wire_bytes=connection.wire_bytes,
        repeats=connection.repeats,
        last_sent_s=quiet.last_sent_s - start.write_s,
        left=quiet,
        start=start,
    )


def _begun(start: Start, payload_bytes: int) -> Connection:
    connection = copy.deepcopy(start.connection)
    connection.reseed(start.seed)
    connection.write(start.write_s, payload_bytes)
    return connection


def _quiet(connection: Connection) -> Quiet:
    sender = connection.sender
    return Quiet(connection, connection.state, sender.last_sent_s, sender.timeout_s)
