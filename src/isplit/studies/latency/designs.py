"""The ways to run a net, and what a frame costs in each: simulated on two devices and a channel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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

BOTTLENECK_LAYERS = 2  # on each side
SATURATED_HZ, SATURATED_FRAMES = 1e4, 40
SAME_NET = 0.02  # of the multiply-accumulates: by how much the last layer may differ


@dataclass(frozen=True)
class Places:
    """Where a frame is computed, what lies between, and what is asked of it."""

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
        for key, group in (("device", "device"), ("server", "device"), ("channel", "channel")):
            if options[key] is None:
                known = ", ".join(preset_names(group))
                raise ValueError(f"{key}=null: study=latency needs one of {known}")
        return cls(
            preset_of(Device, options["device"], "device"),
            load_device(options["server"], "server"),
            preset_of(Channel, options["channel"], "channel"),
            preset_of(Requirement, options["requirement"], "requirement"),
        )

    def anchored(self, net: str, whole: Work, options: Mapping[str, Any]) -> list[Device]:
        """Device and server, scaled to the whole net's measured time where the user has one.

        A preset that measured this very net is scaled to that.
        """
        found = []
        for device, ms in (
            (self.device, options["device_ms"]),
            (self.server, options["server_ms"]),
        ):
            if ms is None and net in device.measured:
                macs = works_of([Net.parse(net)])[Net.parse(net)].dense_macs
                if abs(macs / max(whole.dense_macs, 1) - 1) < SAME_NET:
                    ms = device.measured[net]
            found.append(device if ms is None else device.anchored(whole, ms / 1000))
        return found


@dataclass(frozen=True)
class Plan:
    """One way to run the net, before it is timed; ``sent`` is ``None`` where nothing travels.

    ``head`` and ``tail`` include the bottleneck; ``run`` trained the split.
    """

    name: str
    scenario: str
    head: Work
    tail: Work
    accuracy: float
    memory_bytes: int
    sent: Sent | None = None
    run: Run | None = None


@dataclass(frozen=True)
class Timed:
    """A design, the plan it was made of, and milliseconds of its parts and its percentiles.

    ``late``: share of the frames; ``None``: there is no deadline.
    """

    plan: Plan
    design: Design
    ms: Mapping[str, float]
    late: float | None


def plans(runs: Sequence[Sequence[Run]], sides: Sides) -> list[Plan]:
    """All on the device, all on the server, and every split; runs of one condition are together."""
    whole, image, none = sides.whole, sides.image, Work(0)
    first = runs[0][0]
    features = [point.feature_bytes for point in first.curve.points]
    memory = FLOAT32_BYTES * whole.parameters + max(features)
    accuracy = first.result.accuracy.baseline
    found = [
        Plan("all on the device", "LC", whole, none, accuracy, memory),
        Plan(f"all on the server, {image.name}", "RC", none, whole, image.accuracy, 0, image),
    ]
    for same in runs:
        for index in sorted({run.result.split.index for run in same}):
            trained = [run for run in same if run.result.split.index == index]
            result, sent = trained[0].result, [sent_of(run) for run in trained]
            head, tail = sides.parts[index]
            params = head.parameters + sides.encoder_params(trained[0])
            rate = result.bottleneck.compression_rate
            name = f"{result.split.label}, rate {rate:.4g}, {sent[0].name}"
            twins = sum(plan.name.partition(" #")[0] == name for plan in found)
            plan = Plan(
                f"{name} #{twins + 1}" if twins else name,
                "SC",
                head + Work(result.cost.encoder_macs, layers=BOTTLENECK_LAYERS),
                tail + Work(result.cost.decoder_macs, layers=BOTTLENECK_LAYERS),
                fmean(one.accuracy for one in sent),
                FLOAT32_BYTES * params + max(features[: index + 1]),
                sent[0],
                trained[0],
            )
            found.append(plan)
    return found


def sent_of(run: Run) -> Sent:
    """What travels of a finished split: by its codec where it has one, else the code as float32."""
    result, coded = run.result, getattr(run.result, "codec", None)
    if coded is None:
        return Sent("float32", result.accuracy.after_finetune, result.cost.payload_bytes)
    accuracy: float = vars(result.accuracy)["with_codec"]
    times_s = coded.encode_ms / 1000, coded.decode_ms / 1000
    return Sent(coded.name, accuracy, coded.payload_mean_bytes, *times_s)


def timed(
    plan: Plan, devices: Sequence[Device], places: Places, options: Mapping[str, Any]
) -> Timed:
    """The design that a plan comes to: latency, capacity and energy of simulated frames.

    Args:
        plan: what is computed where.
        devices: device and server, anchored.
        places: channel and requirement.
        options: keys of the study.
    """
    (device, server), sent, asked = devices, plan.sent, places.requirement
    head_s, tail_s, answer_s = device.seconds(plan.head), server.seconds(plan.tail), 0.0
    work = FrameWork(head_s)
    if sent:
        size = math.ceil(sent.payload_bytes)
        work = FrameWork(head_s, sent.encode_s, size, sent.decode_s, tail_s)
        way_down = connect(places.channel, Tcp(), upwards=False)
        answer_s = transfer(way_down, work.answer_bytes).delivered_s
    send_w, power = options["send_W"], None
    if device.power_W is not None and not (sent and send_w is None):
        power = Power(0.0, device.power_W, send_w or 0.0)
    rate_hz = options["rate_hz"] or asked.frames_per_s or 1.0
    deadline_s = asked.p95_ms and asked.p95_ms / 1000
    setting = Setting(
        work, Arrival(rate_hz=rate_hz), places.channel, deadline_s=deadline_s, power=power
    )
    seen = simulate(setting, options["frames"])
    full = simulate(Setting(work, Arrival(rate_hz=SATURATED_HZ), places.channel), SATURATED_FRAMES)
    parts_s = {
        "device": head_s,
        "encode": work.encode_s,
        "server": work.decode_s + tail_s,
        "answer": answer_s,
    }
    parts_s["send"] = max(0.0, seen.mean_s - sum(parts_s.values()))
    times_s = parts_s | {"mean": seen.mean_s, "p50": seen.p50_s, "p99": seen.p99_s}
    design = Design(
        plan.name,
        plan.scenario,
        layer=plan.run.result.split.label if plan.run else None,
        rate=plan.run.result.bottleneck.compression_rate if plan.run else None,
        codec=sent.name if sent else None,
        accuracy=plan.accuracy,
        p95_ms=1000 * seen.p95_s,
        frames_per_s=SATURATED_FRAMES / full.duration_s,
        device_memory_bytes=plan.memory_bytes,
        device_macs=plan.head.dense_macs + plan.head.depthwise_macs,
        energy_J=None if seen.energy_j is None else seen.energy_j / options["frames"],
        payload_bytes=work.payload_bytes or 0,
    )
    late = None if seen.missed is None else seen.missed / options["frames"]
    return Timed(plan, design, {f"{key}_ms": 1000 * s for key, s in times_s.items()}, late)
