"""A TCP connection over a channel, packet by packet."""

import math
from collections import deque
from collections.abc import Iterator

import numpy as np

from isplit.network.ends import NEVER, QUICK_ACKS, Clock, Receiver
from isplit.network.link import Link
from isplit.network.segments import Ack, Segment
from isplit.network.sender import Sender
from isplit.network.transport import IP_TCP_BYTES, Tcp
from isplit.network.window import Window

ACK_BYTES = 60  # with selective acknowledgements on average


class Connection:
    """Frames written at one end come out at the other, in order; the handshake is past."""

    def __init__(self, there: Link, back: Link, tcp: Tcp) -> None:
        self.there, self.back, self.tcp = there, back, tcp
        self.segment_bytes = there.mtu_bytes - IP_TCP_BYTES
        self.now_s = 0.0
        self.written = 0
        self.ends: deque[int] = deque()  # number of the last segment of each frame under way
        syn_s = (there.slot_s + back.slot_s) * ACK_BYTES / there.mtu_bytes
        clock = Clock(tcp, there.delay_s + back.delay_s + syn_s)
        self.sender = Sender(tcp, clock, Window(tcp, self._undisturbed), self._transmit)
        self.receiver = Receiver(tcp, clock.smoothed_s)
        self.timeout_s = clock.timeout_s  # as it was when all was quiet
        self._data: deque[tuple[float, Segment]] = deque()
        self._acks: deque[tuple[float, Ack]] = deque()

    @property
    def quiet(self) -> bool:
        """Whether everything is delivered, acknowledged and known to be."""
        return not (self.sender.segments.unacked or self.sender.unsent or self._data or self._acks)

    @property
    def wire_bytes(self) -> int:
        """Carried since the last ``reseed``, with headers and repeats."""
        return self.there.carried_bytes

    @property
    def state(self) -> tuple[object, ...]:
        """What the next transfer depends on, rounded; of a quiet connection."""
        sender = self.sender
        timeout = round(math.log2(sender.clock.timeout_s) * 8)
        quick = min(self.receiver.received, QUICK_ACKS)
        return (*sender.window.state(sender.last_sent_s), timeout, quick)

    def reseed(self, seed: int) -> None:
        """Begin a new stream of chance; and count from here."""
        self.there.rng = self.back.rng = np.random.default_rng(seed)
        self.there.carried_bytes = 0

    def write(self, now_s: float, payload_bytes: int) -> None:
        """Hand a frame to the sender."""
        self.now_s, self.payload_bytes = now_s, payload_bytes
        full, last = divmod(payload_bytes - 1, self.segment_bytes)
        end = self.written + full
        new = [Segment(n, self.there.mtu_bytes) for n in range(self.written, end)]
        new.append(Segment(end, last + 1 + IP_TCP_BYTES, ends_frame=True))
        self.written = end + 1
        self.ends.append(end)
        self.sender.write(now_s, new)

    def run(self, until_s: float) -> Iterator[float]:
        """Seconds at which frames are complete at the receiver, up to a time or until quiet."""
        data, acks, sender, receiver = self._data, self._acks, self.sender, self.receiver
        clock, ends = sender.clock, self.ends
        while data or acks or not self.quiet:
            data_s = data[0][0] if data else NEVER
            ack_s = acks[0][0] if acks else NEVER
            next_s = min(data_s, ack_s, clock.alarm_s, receiver.alarm_s)
            if next_s > until_s:
                return
            self.now_s = next_s
            if next_s == data_s:
                segment = data.popleft()[1]
                if receiver.take(next_s, segment.number, segment.ends_frame):
                    self._acknowledge()
                while ends and receiver.expected > ends[0]:
                    ends.popleft()
                    yield next_s
            elif next_s == ack_s:
                sender.on_ack(next_s, acks.popleft()[1])
            elif next_s == receiver.alarm_s:
                self._acknowledge()
            else:
                clock.run_out(next_s)
        self.timeout_s = clock.timeout_s

    def _undisturbed(self) -> float:
        mean_s = self.tcp.undisturbed_s
        return float(self.there.rng.exponential(mean_s)) if mean_s < NEVER else NEVER

    def _transmit(self, segment: Segment) -> None:
        arrival_s = self.there.send(self.now_s, segment.wire_bytes)
        if arrival_s is not None:
            self._data.append((arrival_s, segment))

    def _acknowledge(self) -> None:
        ack = self.receiver.ack()
        arrival_s = self.back.send(self.now_s, ACK_BYTES)
        if arrival_s is not None:
            self.receiver.selected.clear()
            self._acks.append((arrival_s, ack))
