"""A device: it computes frames one after the other and hands their payloads to the network."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from isplit.network.link import links
from isplit.network.setting import Ready, Sent, Setting
from isplit.network.tcp import Transfers, connect, stream
from isplit.network.transport import Tcp, Udp, send_datagrams

WHOLE = Udp(partial="drop")  # an answer is of no use in parts


def make_devices(setting: Setting, rng: np.random.Generator) -> list[Device]:
    """The devices of a setting; what one learns of its connection serves all."""
    work, channel, tcp = setting.work, setting.channel, setting.transport
    known: list[Transfers] = []
    if channel and work.payload_bytes and isinstance(tcp, Tcp):
        sizes = work.payload_bytes, work.answer_bytes
        known = [Transfers(size, channel, tcp, rng) for size in sizes]
    chances = enumerate(rng.spawn(setting.devices))
    return [Device(index, setting, known, own) for index, own in chances]


class Device:
    """One device, its queue and its way to the server and back."""

    def __init__(
        self, index: int, setting: Setting, known: list[Transfers], rng: np.random.Generator
    ) -> None:
        self.index, self.setting, self.known, self.rng = index, setting, known, rng
        self.sent_s = 0.0  # when the last packet of UDP has left
        self.free_s = 0.0  # to compute
        self.busy_s = 0.0
        self.dropped: list[tuple[int, float]] = []  # number and arrival, until somebody takes them
        channel, tcp = setting.channel, setting.transport
        if channel and isinstance(tcp, Tcp):
            self.there, self.back = connect(channel, tcp), connect(channel, tcp, upwards=False)
            certain = known and known[1].variants == 1
            self.reply_s = known[1].draw(self.back, 0.0).delivered_s if certain else None
        elif channel:
            self.up, self.down = links(channel, rng)

    def sent(self, arrivals: Iterable[float]) -> Iterator[Sent]:
        """Frames in the order in which they reach the server, or are known to be lost."""
        frames = self._computed(arrivals)
        if self.setting.work.payload_bytes is None:
            return (Sent(frame, frame.ready_s, 0) for frame in frames)
        if self.known:
            joined = stream(self.known[0], self.there, frames)
            return joined if self.setting.overlap else self._in_turn(frames)
        return self._datagrams(frames)

    def answer(self, now_s: float) -> float | None:
        """When the answer that the server sends now arrives; ``None``: it is lost."""
        if self.known:
            back = self.known[1]  # nothing was sent on it before, but a trace has a clock
            idle_s = 0.0 if back.lasting else now_s
            return now_s + (self.reply_s or back.draw(self.back, idle_s).delivered_s)
        return send_datagrams(self.down, WHOLE, now_s, self.setting.work.answer_bytes).delivered_s

    def energy_j(self, one: Sent) -> float:
        """What computing and sending a frame cost, above idling."""
        power, channel = self.setting.power, self.setting.channel
        if power is None:
            return 0.0
        air_s = one.wire_bytes * 8 / channel.rates_bit_s[0] if channel else 0.0
        spent_s = one.frame.ready_s - one.frame.start_s
        return (power.compute_w - power.idle_w) * spent_s + (power.send_w - power.idle_w) * air_s

    def _computed(self, arrivals: Iterable[float]) -> Iterator[Ready]:
        """Frames as they get ready to be sent; those that find the queue full are ``dropped``."""
        work, limit = self.setting.work, self.setting.device_queue
        device_s, encode_s = work.device_s, work.encode_s
        starts: deque[float] = deque()  # of those that wait
        for number, arrival_s in enumerate(arrivals):
            start_s = self.free_s
            if start_s > arrival_s:
                while starts and starts[0] <= arrival_s:
                    starts.popleft()
                if len(starts) >= limit:
                    self.dropped.append((number, arrival_s))
                    continue
                starts.append(start_s)
            else:
                start_s = arrival_s
            spent_s = (device_s(self.rng) if callable(device_s) else device_s) + encode_s
            self.free_s = ready_s = start_s + spent_s
            self.busy_s += spent_s
            yield Ready(number, arrival_s, start_s, ready_s)

    def _in_turn(self, frames: Iterable[Ready]) -> Iterator[Sent]:
        """Each is asked for when the last is answered, which acknowledges: none is under way."""
        connection, last_sent_s = self.there, 0.0
        for frame in frames:
            drawn = self.known[0].draw(connection, max(0.0, frame.ready_s - last_sent_s))
            yield Sent(frame, frame.ready_s + drawn.delivered_s, drawn.wire_bytes)
            connection, last_sent_s = drawn.after, frame.ready_s + drawn.last_sent_s

    def _datagrams(self, frames: Iterable[Ready]) -> Iterator[Sent]:
        udp, payload_bytes = self.setting.transport, self.setting.work.payload_bytes
        assert isinstance(udp, Udp)
        assert payload_bytes
        waiting: list[tuple[float, int, Sent]] = []  # a broken frame arrives after later ones
        for frame in frames:
            while waiting and waiting[0][0] <= frame.ready_s:
                yield heapq.heappop(waiting)[-1]
            became = send_datagrams(self.up, udp, frame.ready_s, payload_bytes)
            self.sent_s = became.left_s
            one = Sent(frame, became.delivered_s, became.wire_bytes, sum(became.lost))
            due_s = became.left_s if one.delivered_s is None else one.delivered_s
            heapq.heappush(waiting, (due_s, frame.number, one))
            if not self.setting.overlap:
                yield heapq.heappop(waiting)[-1]
        while waiting:
            yield heapq.heappop(waiting)[-1]
