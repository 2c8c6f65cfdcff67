"""A device: it computes frames one after the other and hands their payloads to the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from isplit.network.channel import Channel
from isplit.network.link import links
from isplit.network.setting import Setting, Work
from isplit.network.tcp import Quiet, Ready, Sent, Transfers, connect, stream
from isplit.network.transport import Tcp, Udp
from isplit.network.udp import send_datagrams


class Shared:
    """Transfers that were simulated for one device and serve all on the same kind of channel."""

    def __init__(self, channel: Channel, tcp: Tcp, work: Work, rng: np.random.Generator) -> None:
        self.payloads = Transfers(work.payload_bytes or 1, channel, tcp, rng)
        self.answers = Transfers(work.answer_bytes, channel, tcp, rng)


class Device:
    """One device, its queue and its connection."""

    def __init__(self, setting: Setting, shared: Shared | None, rng: np.random.Generator) -> None:
        self.setting, self.shared, self.rng = setting, shared, rng
        self.sent_s = 0.0  # when the network has taken all that was handed to it
        self.computed_s = 0.0
        self.busy_s = 0.0
        self.dropped: list[tuple[int, float]] = []  # numbers and arrivals, until somebody takes them
        if setting.channel:
            self.up, self.down = links(setting.channel, rng)
            if shared and not isinstance(setting.transport, Udp):
                self.connection = connect(setting.channel, setting.transport)
                self.back = connect(setting.channel, setting.transport, upwards=False)

    def frames(self, arrivals: Iterable[float]) -> Iterator[Ready]:
        """Frames as they get ready to be sent; those that find the queue full are ``dropped``."""
        work, limit = self.setting.work, self.setting.device_queue
        device_s = work.device_s
        overlap = self.setting.overlap
        starts: deque[float] = deque()  # of those that wait
        for number, arrival_s in enumerate(arrivals):
            while starts and starts[0] <= arrival_s:
                starts.popleft()
            start_s = max(arrival_s, self.computed_s if overlap else max(self.computed_s, self.sent_s))
            if start_s > arrival_s and len(starts) >= limit:
                self.dropped.append((number, arrival_s))
                continue
            spent_s = (device_s(self.rng) if callable(device_s) else device_s) + work.encode_s
            self.computed_s = start_s + spent_s
            self.busy_s += spent_s
            starts.append(start_s)
            yield Ready(number, arrival_s, start_s, self.computed_s)

    def sent(self, arrivals: Iterable[float]) -> Iterator[Sent]:
        """Frames in the order in which they reach the server, or are known to be lost."""
        frames = self.frames(arrivals)
        if self.setting.work.payload_bytes is None:
            return (Sent(frame, frame.ready_s, 0) for frame in frames)
        if isinstance(self.setting.transport, Udp):
            return self._datagrams(frames, self.setting.work.payload_bytes)
        return stream(self.shared.payloads, self.connection, frames, self._note_sent)

    def answer(self, now_s: float) -> float | None:
        """When the answer that the server sends now arrives; ``None``: it is lost."""
        if isinstance(self.setting.transport, Udp):
            mtu_bytes, size = self.setting.channel.mtu_bytes, self.setting.work.answer_bytes
            reply = send_datagrams(self.down, Udp("drop"), mtu_bytes, now_s, size)
            return reply.delivered_s
        return now_s + self.shared.answers.draw(self.back, 0.0).delivered_s

    def _note_sent(self, time_s: float) -> None:
        self.sent_s = time_s

    def _datagrams(self, frames: Iterable[Ready], payload_bytes: int) -> Iterator[Sent]:
        for frame in frames:
            became = send_datagrams(self.up, self.setting.transport, self.setting.channel.mtu_bytes, frame.ready_s, payload_bytes)
            self.sent_s = became.left_s
            yield Sent(frame, became.delivered_s, became.wire_bytes, sum(became.lost))
