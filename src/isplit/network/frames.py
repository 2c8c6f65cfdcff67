"""Frames of one or many devices through link and server, by discrete events."""

import math
from collections import deque
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import simpy

from isplit.network.device import Device, make_devices
from isplit.network.setting import Sent, Setting, arrival_times
from isplit.network.summary import Fate, Frame, Summary, Tally, table


def simulate(setting: Setting, frames: int, *, seed: int = 0, path: Path | None = None) -> Summary:
    """What becomes of ``frames`` frames of each device.

    Memory does not grow with the number of frames. The same seed gives the same frames.

    Args:
        setting: who computes for whom, and at what cost.
        frames: of each device.
        seed: of all chance.
        path: a CSV file with a line per frame, there when all is over.
    """
    if frames < 1:
        raise ValueError(f"frames={frames} is not at least 1")
    with table(path) as write:
        run = _Run(setting, Tally(write, setting.deadline_s), np.random.default_rng(seed))
        for device in run.devices:
            phase = run.rng.random() if setting.devices > 1 else 0.0  # they are not in step
            times_s = arrival_times(setting.arrival, device.rng, phase)
            run.environment.process(run.deliver(device, device.sent(islice(times_s, frames))))
        run.environment.run()
        run.tally.flush()
    return _summary(run)


class _Run:
    """Devices are processes that deliver; the server takes what has gathered when it is free."""

    def __init__(self, setting: Setting, tally: Tally, rng: np.random.Generator) -> None:
        self.setting, self.tally, self.rng = setting, tally, rng
        self.environment = simpy.Environment()
        self.devices = make_devices(setting, rng)
        self.queue: deque[tuple[Device, Sent]] = deque()
        self.turns: dict[int, simpy.Event] = {}  # by device, where it waits for an answer
        self.serving = False
        self.busy_s = 0.0

    def deliver(self, device: Device, sent: Iterator[Sent]) -> Generator[simpy.Event, None, None]:
        """One device's frames, to the server or to its own answer."""
        environment, queue, limit = self.environment, self.queue, self.setting.server_queue
        alone = self.setting.work.payload_bytes is None
        for one in sent:
            if alone or one.delivered_s is None:
                fate = Fate.ANSWERED if alone else Fate.WAY_UP
                self.record(device, one, fate, one.delivered_s)
                continue
            yield environment.timeout(max(0.0, one.delivered_s - environment.now))
            if self.serving and len(queue) >= limit:
                self.record(device, one, Fate.AT_SERVER, None)
                continue
            queue.append((device, one))
            if not self.serving:
                self.serve()
            if not self.setting.overlap:
                self.turns[device.index] = environment.event()
                yield self.turns[device.index]
        self.record_dropped(device)
        yield environment.timeout(0)

    def serve(self) -> None:
        """Take a batch."""
        work, queue = self.setting.work, self.queue
        size, server_s = min(len(queue), self.setting.batch), work.server_s
        batch = [queue.popleft() for _ in range(size)]
        spent_s = server_s(size) if callable(server_s) else server_s * size
        spent_s += work.decode_s * size
        self.busy_s += spent_s
        self.serving = True
        done = self.environment.timeout(spent_s, batch)
        done.callbacks.append(self.served)

    def served(self, done: simpy.Event) -> None:
        """Answer a batch, and take the next."""
        now_s = self.environment.now
        for device, one in done.value or ():
            answered_s = device.answer(now_s)
            fate = Fate.WAY_DOWN if answered_s is None else Fate.ANSWERED
            self.tally.answers_s += 0.0 if answered_s is None else answered_s - now_s
            self.record(device, one, fate, answered_s)
        self.serving = False
        if self.queue:
            self.serve()

    def record(self, device: Device, one: Sent, fate: Fate, answered_s: float | None) -> None:
        """Count a frame, and those that its device dropped before."""
        if device.dropped:
            self.record_dropped(device)
        (number, arrival_s, _, ready_s), delivered_s, wire_bytes, missing = one
        energy_j = device.energy_j(one) if self.setting.power else 0.0
        times_s = arrival_s, ready_s, delivered_s, answered_s
        self.tally.add(Frame(device.index, number, *times_s, fate, missing, wire_bytes, energy_j))
        if not self.setting.overlap:
            given_up_s = one.frame.start_s + (self.setting.deadline_s or 0.0)
            lost_s = max(self.environment.now, device.sent_s, given_up_s)
            device.free_s = lost_s if answered_s is None else answered_s
            if turn := self.turns.pop(device.index, None):
                turn.succeed()

    def record_dropped(self, device: Device) -> None:
        """Count frames that found the device's queue full."""
        for number, arrival_s in device.dropped:
            self.tally.add(Frame(device.index, number, arrival_s, None, None, None, Fate.AT_DEVICE))
        device.dropped.clear()


def _summary(run: _Run) -> Summary:
    tally, setting, devices = run.tally, run.setting, run.devices
    ends_s = [max(device.free_s, device.sent_s) for device in devices]
    duration_s = max(*ends_s, tally.last_s, run.environment.now)
    shared_s = duration_s * len(devices) or math.nan
    answered, taken = tally.fates[Fate.ANSWERED], tally.fates.total()
    air_s = tally.wire_bytes * 8 / setting.channel.rates_bit_s[0] if setting.channel else 0.0
    power = setting.power
    return Summary(
        fates=dict(tally.fates),
        partial=tally.partial,
        missed=None if setting.deadline_s is None else tally.late + taken - answered,
        answer_s=tally.answers_s / answered if answered else math.nan,
        mean_s=tally.total_s / answered if answered else math.nan,
        **{f"p{part}_s": tally.percentile(part / 100) for part in (50, 95, 99)},
        duration_s=duration_s,
        device_busy=sum(device.busy_s for device in devices) / shared_s,
        link_busy=air_s / shared_s,
        server_busy=run.busy_s / (duration_s or math.nan),
        energy_j=tally.energy_j + power.idle_w * shared_s if power else None,
    )
