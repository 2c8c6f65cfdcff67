"""Frames of one or many devices through link and server, by discrete events."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import simpy

from isplit.network.arrivals import arrival_times
from isplit.network.device import Device, Shared
from isplit.network.setting import Setting
from isplit.network.summary import (
    ANSWERED,
    FATES,
    LOST_AT_DEVICE,
    LOST_AT_SERVER,
    LOST_DOWN,
    LOST_UP,
    Frame,
    Summary,
    Tally,
)
from isplit.network.tcp import Sent
from isplit.network.transport import Tcp

def simulate(setting: Setting, frames: int, *, seed: int = 0, table: Path | None = None) -> Summary:
    """What becomes of ``frames`` frames of each device.

    Memory does not grow with the number of frames. The same seed gives the same frames.

    Args:
        setting: who computes for whom, and at what cost.
        frames: of each device.
        seed: of all chance.
        table: a CSV file with a line per frame, written when all is over.
    """
    if frames < 1:
        raise ValueError(f"frames={frames} is not at least 1")
    with Tally(table, setting.deadline_s) as tally:
        simulation = _Simulation(setting, tally, np.random.default_rng(seed))
        simulation.run(frames)
    return simulation.summary()


class _Simulation:
    """Devices as processes that deliver, the server as the process that serves."""

    def __init__(self, setting: Setting, tally: Tally, rng: np.random.Generator) -> None:
        self.setting, self.tally = setting, tally
        self.environment = simpy.Environment()
        self.queue: deque[tuple[int, Sent]] = deque()
        self.serving = False
        self.busy_s = 0.0
        work, channel = setting.work, setting.channel
        shared = None
        if channel and isinstance(setting.transport, Tcp):
            shared = Shared(channel, setting.transport, work, rng)
        self.generators = rng.spawn(setting.devices)
        self.devices = [Device(setting, shared, own) for own in self.generators]

    def run(self, frames: int) -> None:
        """Everything, to the last answer."""
        for index, (device, rng) in enumerate(zip(self.devices, self.generators, strict=True)):
            phase = rng.random() if len(self.devices) > 1 else 0.0
            arrivals = islice(arrival_times(self.setting.arrival, rng, phase), frames)
            deliver = self._answer_locally if self.setting.work.payload_bytes is None else self._deliver
            self.environment.process(deliver(index, device.sent(arrivals)))
        self.environment.run()

    def _answer_locally(self, index: int, sent: Iterator[Sent]) -> Iterator[simpy.Event]:
        for one in sent:
            self._record(index, one, ANSWERED, one.frame.ready_s)
        self._record_dropped(index)
        yield self.environment.timeout(0)

    def _deliver(self, index: int, sent: Iterator[Sent]) -> Iterator[simpy.Event]:
        environment, queue, setting = self.environment, self.queue, self.setting
        for one in sent:
            self._record_dropped(index)
            if one.delivered_s is None:
                self._record(index, one, LOST_UP, None)
                continue
            yield environment.timeout(max(0.0, one.delivered_s - environment.now))
            if self.serving and len(queue) >= setting.server_queue:
                self._record(index, one, LOST_AT_SERVER, None)
                continue
            queue.append((index, one))
            if not self.serving:
                self._serve()
        self._record_dropped(index)

    def _serve(self) -> None:
        work, queue = self.setting.work, self.queue
        size = min(len(queue), self.setting.batch)
        batch = [queue.popleft() for _ in range(size)]
        server_s = work.server_s
        spent_s = server_s(size) if callable(server_s) else server_s * size
        spent_s += work.decode_s * size
        self.busy_s += spent_s
        self.serving = True
        self.environment.timeout(spent_s, batch).callbacks.append(self._served)

    def _served(self, event: simpy.Event) -> None:
        now_s = self.environment.now
        for index, one in event.value:
            answered_s = self.devices[index].answer(now_s)
            self._record(index, one, LOST_DOWN if answered_s is None else ANSWERED, answered_s)
        self.serving = False
        if self.queue:
            self._serve()

    def _record(self, index: int, one: Sent, fate: str, answered_s: float | None) -> None:
        frame, power, channel = one.frame, self.setting.power, self.setting.channel
        energy_j = 0.0
        if power:
            energy_j = (power.compute_w - power.idle_w) * (frame.ready_s - frame.start_s)
            if channel:
                air_s = one.wire_bytes * 8 / channel.up_bit_s
                energy_j += (power.send_w - power.idle_w) * air_s
        self.tally.add(
            Frame(
                index, frame.number, frame.arrival_s, frame.ready_s, one.delivered_s, answered_s,
                fate, one.missing, one.wire_bytes, energy_j,
            )
        )  # fmt: skip

    def _record_dropped(self, index: int) -> None:
        dropped = self.devices[index].dropped
        for number, arrival_s in dropped:
            nothing = Frame(index, number, arrival_s, None, None, None, LOST_AT_DEVICE, 0, 0, 0.0)
            self.tally.add(nothing)
        dropped.clear()

    def summary(self) -> Summary:
        """All of it in figures."""
        tally, setting, devices = self.tally, self.setting, self.devices
        last_s = max(max(device.computed_s, device.sent_s) for device in devices)
        duration_s = max(last_s, tally.last_s, self.environment.now)
        shared_s = max(duration_s, 1e-12) * len(devices)
        up_bit_s = setting.channel.up_bit_s if setting.channel else 1.0
        answered = tally.fates[ANSWERED]
        count = tally.fates.total()
        idle_j = setting.power.idle_w * duration_s * len(devices) if setting.power else 0.0
        return Summary(
            frames=count,
            answered=answered,
            lost={fate: tally.fates[fate] for fate in FATES if fate != ANSWERED},
            partial=tally.partial,
            missed=None if setting.deadline_s is None else tally.late + count - answered,
            mean_s=tally.total_s / answered if answered else math.nan,
            p50_s=tally.percentile(0.5),
            p95_s=tally.percentile(0.95),
            p99_s=tally.percentile(0.99),
            duration_s=duration_s,
            device_busy=sum(device.busy_s for device in devices) / shared_s,
            link_busy=tally.wire_bytes * 8 / up_bit_s / shared_s,
            server_busy=self.busy_s / max(duration_s, 1e-12),
            energy_j=tally.energy_j + idle_j if setting.power else None,
        )
