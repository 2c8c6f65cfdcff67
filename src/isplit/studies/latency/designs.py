"""The ways to run a net, and what a frame costs in each: simulated on devices and a channel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from isplit.devices import Device, load_device
from isplit.devices.fitting import Net
from isplit.devices.nets import works_of
from isplit.network import Arrival, Channel, Power, Setting, Tcp, connect, simulate, transfer
from isplit.network import Work as FrameWork
from isplit.point import FLOAT32_BYTES, Work
from isplit.presets import preset_names, preset_of
from isplit.requirements import Design, Requirement
from isplit.studies.collect import Run
from isplit.studies.seen import Sent, Sides

NOTHING = Work(0)
BOTTLENECK_LAYERS = 2  # on each side
SATURATED_HZ, SATURATED_FRAMES = 1e4, 40
SAME_NET = 0.02  # of the multiply-accumulates: by how much the last layer may differ


@dataclass(frozen=True)
class Places:
    """Where a frame is computed, what is between, and what is asked of it."""

    device: Device
    server: Device
    channel: Channel
    requirement: Requirement

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Places:
        """From the keys that the user typed.

        Raises:
            ValueError: one is missing, unknown, or cannot be.
        """
        groups = {"device": "device", "server": "device", "channel": "channel"}
        for key, group in groups.items():
            if options[key] is None:
                known = ", ".join(preset_names(group))
                raise ValueError(f"{key}=null: study=latency needs one of {known}")
        return cls(
            preset_of(Device, options["device"], "device"),
            load_device(options["server"], "server"),
            preset_of(Channel, options["channel"], "channel"),
            preset_of(Requirement, options["requirement"], "requirement"),
        )


@dataclass(frozen=True)
class Plan:
    """One way to run the net, before it is timed; ``sent`` is ``None`` where nothing travels."""

    name: str
    scenario: str
    head: Work
    tail: Work
    accuracy: float
    memory_bytes: int
    sent: Sent | None = None
    layer: str | None = None
    rate: float | None = None


@dataclass(frozen=True)
class Timed:
    """A design and where its time goes; ``late``: share of the frames, ``None``: no deadline."""

    design: Design
    device_ms: float
    encode_ms: float
    send_ms: float
    server_ms: float
    answer_ms: float
    mean_ms: float
    p50_ms: float
    p99_ms: float
    late: float | None


PARTS = ("device", "encode", "send", "server", "answer")


def plans(runs: Mapping[str, Sequence[Run]], sides: Sides) -> list[Plan]:
    """All on the device, all on the server, and every split of the runs, by condition."""
    whole, image = sides.whole, sides.image
    baseline = next(iter(runs.values()))[0].result.accuracy.baseline
    memory = FLOAT32_BYTES * whole.parameters + sides.held_bytes[-1]
    found = [
        Plan("all on the device", "LC", whole, NOTHING, baseline, memory),
        Plan(f"all on the server, {image.name}", "RC", NOTHING, whole, image.accuracy, 0, image),
    ]
    for same in runs.values():
        for index in sorted({run.result.split.index for run in same}):
            trained = [run for run in same if run.result.split.index == index]
            found.append(_split(trained, sides, [plan.name for plan in found]))
    return found


def sent_of(run: Run) -> Sent:
    """What travels of a finished split: by its codec where it has one, else the code as float32."""
    result, coded = run.result, getattr(run.result, "codec", None)
    if coded is None:
        return Sent("float32", result.accuracy.after_finetune, result.cost.payload_bytes)
    times_s = coded.encode_ms / 1000, coded.decode_ms / 1000
    accuracy: float = getattr(result.accuracy, "with_codec")  # noqa: B009
    return Sent(coded.name, accuracy, coded.payload_mean_bytes, *times_s)


def timed(plan: Plan, places: Places, net: str, whole: Work, options: Mapping[str, Any]) -> Timed:
    """The design that a plan comes to: latency, capacity and energy of simulated frames."""
    device = _anchored(places.device, net, whole, options["device_ms"])
    server = _anchored(places.server, net, whole, options["server_ms"])
    head_s, tail_s = device.seconds(plan.head), server.seconds(plan.tail)
    sent = plan.sent
    work = FrameWork(head_s)
    answer_s = 0.0
    if sent:
        size = max(1, math.ceil(sent.payload_bytes))
        work = FrameWork(head_s, sent.encode_s, size, sent.decode_s, tail_s)
        back = connect(places.channel, Tcp(), upwards=False)
        answer_s = transfer(back, work.answer_bytes).delivered_s
    asked, frames = places.requirement, options["frames"]
    rate_hz = options["rate_hz"] or asked.frames_per_s or 1.0
    deadline_s = asked.p95_ms and asked.p95_ms / 1000
    power = _power(device, options["send_W"], sends=sent is not None)
    setting = Setting(
        work, Arrival(rate_hz=rate_hz), places.channel, deadline_s=deadline_s, power=power
    )
    seen = simulate(setting, frames)
    full = simulate(Setting(work, Arrival(rate_hz=SATURATED_HZ), places.channel), SATURATED_FRAMES)
    server_s = work.decode_s + tail_s if sent else 0.0
    parts_s = (head_s, work.encode_s, server_s, answer_s)
    design = Design(
        plan.name,
        plan.scenario,
        layer=plan.layer,
        rate=plan.rate,
        codec=sent.name if sent else None,
        accuracy=plan.accuracy,
        p95_ms=1000 * seen.p95_s,
        frames_per_s=SATURATED_FRAMES / full.duration_s,
        device_memory_bytes=plan.memory_bytes,
        device_macs=plan.head.dense_macs + plan.head.depthwise_macs,
        energy_J=None if seen.energy_j is None else seen.energy_j / frames,
        payload_bytes=work.payload_bytes or 0,
    )
    send_s = max(0.0, seen.mean_s - sum(parts_s))
    head_ms, encode_ms, server_ms, answer_ms = (1000 * part_s for part_s in parts_s)
    return Timed(
        design,
        head_ms,
        encode_ms,
        1000 * send_s,
        server_ms,
        answer_ms,
        1000 * seen.mean_s,
        1000 * seen.p50_s,
        1000 * seen.p99_s,
        None if seen.missed is None else seen.missed / frames,
    )


def _split(trained: Sequence[Run], sides: Sides, taken: Iterable[str]) -> Plan:
    """The plan of the trainings of one point, which differ in chance alone."""
    first, sent = trained[0].result, [sent_of(run) for run in trained]
    head, tail = sides.parts[first.split.index]
    params = head.parameters + sides.encoder_params(trained[0])
    name = f"{first.split.label}, rate {first.bottleneck.compression_rate:.4g}, {sent[0].name}"
    twins = sum(other == name or other.startswith(f"{name} #") for other in taken)
    return Plan(
        name if not twins else f"{name} #{twins + 1}",
        "SC",
        head + Work(first.cost.encoder_macs, layers=BOTTLENECK_LAYERS),
        tail + Work(first.cost.decoder_macs, layers=BOTTLENECK_LAYERS),
        fmean(one.accuracy for one in sent),
        FLOAT32_BYTES * params + sides.held_bytes[first.split.index],
        sent[0],
        first.split.label,
        first.bottleneck.compression_rate,
    )


def _anchored(device: Device, net: str, whole: Work, measured_ms: float | None) -> Device:
    """Scaled to the whole net's measured time, where the user or the preset has one."""
    if measured_ms is None and net in device.measured:
        known = works_of([Net.parse(net)])[Net.parse(net)]
        if abs(known.dense_macs / max(whole.dense_macs, 1) - 1) < SAME_NET:
            measured_ms = device.measured[net]
    return device if measured_ms is None else device.anchored(whole, measured_ms / 1000)


def _power(device: Device, send_w: float | None, *, sends: bool) -> Power | None:
    """Watts, where all that the design does has some; idling is not counted."""
    if device.power_W is None or (sends and send_w is None):
        return None
    return Power(0.0, device.power_W, send_w or 0.0)
