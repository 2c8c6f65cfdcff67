"""Transfers over TCP: one, or a stream of frames over a connection that persists.

A transfer is simulated packet by packet and remembered under the state in which the connection
was; the next one from such a state is looked up. Where chance plays a part, many are made first.
"""

import pickle
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from isplit.network.channel import Channel
from isplit.network.connection import Connection
from isplit.network.ends import NEVER
from isplit.network.link import links
from isplit.network.setting import Ready, Sent
from isplit.network.transport import Tcp

VARIANTS = 1024  # transfers made from one state before they are drawn from, where chance plays
MOST_MADE = 50_000  # transfers kept
MOST_COPIED = 1000  # connections kept as bytes
MOST_TIMEOUTS = 8  # after which a window is at its least anyway


@dataclass(frozen=True)
class Transfer:
    """One payload over a connection on which nothing was under way.

    Attributes:
        delivered_s: from the first byte handed over to the last byte received.
        last_sent_s: to the last packet sent.
        quiet_s: to the last acknowledgement received.
        wire_bytes: sent, with headers and repeats.
        before: the connection as it was, at ``write_s`` of its own clock.
        after: the connection as it is left, or another in the same state.
        seed: of all chance.
    """

    delivered_s: float
    last_sent_s: float
    quiet_s: float
    wire_bytes: int
    before: Connection
    write_s: float
    after: Connection
    seed: int


def connect(channel: Channel, tcp: Tcp, *, upwards: bool = True) -> Connection:
    """A fresh connection on an idle channel; its data goes up (device to server) or down."""
    up, down = links(channel, np.random.default_rng(0))
    up.losses.bad = down.losses.bad = channel.loss
    there, back = (up, down) if upwards else (down, up)
    return Connection(there, back, tcp)


def transfer(
    connection: Connection, payload_bytes: int, *, seed: int = 0, write_s: float = 0.0
) -> Transfer:
    """One payload over a quiet connection, which stays as it is.

    Examples:
        >>> lan = Channel(up_bit_s=1e8, down_bit_s=1e8, round_trip_s=0.01)
        >>> once = transfer(connect(lan, Tcp()), 1000)
        >>> round(once.delivered_s, 6)  # 1052 bytes on the wire and half a round trip
        0.005084
    """
    after = _begun(connection, write_s, payload_bytes, seed)
    delivered_s, *_ = after.run(NEVER)
    times_s = (delivered_s - write_s, after.sender.last_sent_s - write_s, after.now_s - write_s)
    return Transfer(*times_s, after.wire_bytes, connection, write_s, after, seed)


class Transfers:
    """Transfers of one size, made once for each state of a connection and then drawn from."""

    def __init__(
        self, payload_bytes: int, channel: Channel, tcp: Tcp, rng: np.random.Generator
    ) -> None:
        self.payload_bytes, self.rng = payload_bytes, rng
        chance = channel.loss or channel.jitter_s or tcp.undisturbed_s < NEVER
        self.lasting = not (channel.up_trace or channel.down_trace)  # a trace has a clock
        self.variants = (VARIANTS if chance else 1) if self.lasting else 0
        self._made: dict[tuple[Connection, int], list[Transfer]] = {}
        self._known: dict[tuple[object, ...], Connection] = {}  # one for each state
        self._count = 0

    def draw(self, connection: Connection, idle_s: float) -> Transfer:
        """A transfer begun ``idle_s`` after the connection sent its last packet."""
        timeouts = min(int(idle_s / connection.timeout_s), MOST_TIMEOUTS)
        made = self._made.get((connection, timeouts), [])
        if made and len(made) == self.variants:
            return made[int(self.rng.random() * self.variants) if self.variants > 1 else 0]
        if self._count > MOST_MADE or not self.lasting:
            self._made, self._known, self._count, made = {}, {}, 0, []
        write_s = made[0].write_s if made else connection.sender.last_sent_s + idle_s
        seed = int(self.rng.integers(1 << 62))
        new = transfer(connection, self.payload_bytes, seed=seed, write_s=write_s)
        made.append(replace(new, after=self.known(new.after)))
        self._made[connection, timeouts] = made
        self._count += 1
        return made[-1]

    def known(self, connection: Connection) -> Connection:
        """The same, or an earlier one in the same state."""
        return self._known.setdefault(connection.state, connection) if self.lasting else connection


def stream(transfers: Transfers, connection: Connection, frames: Iterable[Ready]) -> Iterator[Sent]:
    """Frames in the order in which they are delivered over one connection that persists.

    A frame that is ready while others are under way joins them, and they are simulated together;
    else its transfer is drawn.

    Args:
        transfers: of the frames' size.
        connection: a fresh one.
        frames: in the order in which they get ready.
    """
    waiting = iter(frames)
    frame = next(waiting, None)
    last_sent_s = 0.0
    while frame:
        ready_s = frame.ready_s
        drawn = transfers.draw(connection, ready_s - last_sent_s)
        quiet_s = ready_s + drawn.quiet_s
        following = next(waiting, None)
        if following is None or following.ready_s >= quiet_s:
            yield Sent(frame, ready_s + drawn.delivered_s, drawn.wire_bytes)
            connection, last_sent_s = drawn.after, ready_s + drawn.last_sent_s
        else:
            clock_s = ready_s - drawn.write_s
            live = _begun(drawn.before, drawn.write_s, transfers.payload_bytes, drawn.seed)
            following = yield from _together(live, clock_s, frame, following, waiting)
            connection, last_sent_s = transfers.known(live), live.sender.last_sent_s + clock_s
        frame = following


def _together(
    live: Connection,
    clock_s: float,
    first: Ready,
    following: Ready | None,
    waiting: Iterator[Ready],
) -> Generator[Sent, None, Ready | None]:
    """Frames until none is under way; the first one after that."""
    under_way, told_bytes, payload_bytes = deque([first]), 0, live.payload_bytes
    while True:
        until_s = following.ready_s - clock_s if following else NEVER
        for delivered_s in live.run(until_s):
            yield Sent(under_way.popleft(), delivered_s + clock_s, live.wire_bytes - told_bytes)
            told_bytes = live.wire_bytes
        if following is None or live.quiet:
            return following
        live.write(following.ready_s - clock_s, payload_bytes)
        under_way.append(following)
        following = next(waiting, None)


def _begun(connection: Connection, write_s: float, payload_bytes: int, seed: int) -> Connection:
    begun: Connection = pickle.loads(_pickled(connection, connection.written))
    begun.reseed(seed)
    begun.write(write_s, payload_bytes)
    return begun


@lru_cache(maxsize=MOST_COPIED)
def _pickled(connection: Connection, written: int) -> bytes:
    """The connection after so many segments, to be copied four times as fast as by ``deepcopy``."""
    return pickle.dumps(connection, pickle.HIGHEST_PROTOCOL)
