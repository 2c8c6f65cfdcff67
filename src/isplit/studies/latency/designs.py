"""The ways to run a net, and what a frame costs in each: simulated on two devices and a channel."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np

from isplit.network import Arrival, Power, Setting, simulate
from isplit.network import Work as FrameWork
from isplit.point import FLOAT32_BYTES, SplitPoint, Work
from isplit.report.findings import distinct
from isplit.requirements import Design
from isplit.studies.collect import Run
from isplit.studies.latency.places import Places
from isplit.studies.latency.splits import Split, trained, untrained
from isplit.studies.seen import Sent, Sides

BOTTLENECK_LAYERS = 2  # on each side
SATURATED_HZ, SATURATED_FRAMES = 1e4, 40


@dataclass(frozen=True)
class Timed:
    """A design with milliseconds of its parts and percentiles.

    ``late``: share of the frames; ``None``: there is no deadline. ``run`` trained its split.
    """

    design: Design
    ms: Mapping[str, float]
    late: float | None
    run: Run | None = None


def designs(runs: Sequence[Sequence[Run]], sides: Sides, places: Places) -> Iterator[Timed]:
    """All on the device, all on the server, and every split; runs of one condition are together."""
    whole, image, none, first = sides.whole, sides.image, Work(0), runs[0][0]
    predicted = places.options["predicted"]
    features = max(point.feature_bytes for point in first.curve.points)
    memory = FLOAT32_BYTES * whole.parameters + features
    local = Design("all on the device", "LC", accuracy=first.result.accuracy.baseline)
    yield _timed(replace(local, device_memory_bytes=memory), whole, none, None, places)
    remote = Design(f"all on the server, {image.name}", "RC", accuracy=image.accuracy)
    yield _timed(replace(remote, device_memory_bytes=0), none, whole, image, places)
    splits = [
        of_split(split, first.curve.points, sides.parts, places)
        for same in runs
        for split in (*trained(same, sides), *(untrained(same, sides) if predicted else ()))
    ]
    names = distinct([one.design.name for one in splits], " #")
    for one, name in zip(splits, names, strict=True):
        yield replace(one, design=replace(one.design, name=name))


def of_split(
    split: Split, points: Sequence[SplitPoint], parts: Sequence[tuple[Work, Work]], places: Places
) -> Timed:
    """What a frame costs in one split.

    Args:
        points: all of the net's; ``parts``: work of head and tail at each.
    """
    coded, sent, point = split.coded, split.sent, points[split.index]
    rate = f"rate {coded.rate:.4g}" if coded.rate else ""
    predicted = "predicted" if split.low is not None else ""
    head, tail = parts[split.index]
    params = head.parameters + coded.encoder_params
    features = max(point.feature_bytes for point in points[: split.index + 1])
    design = Design(
        ", ".join(filter(None, [point.label, rate, sent.name, predicted])),
        "SC",
        accuracy=sent.accuracy,
        accuracy_low=split.low,
        accuracy_high=split.high,
        device_memory_bytes=FLOAT32_BYTES * params + features,
        layer=point.label,
        rate=coded.rate or None,
    )
    if coded.rate:
        head += Work(coded.cost.encoder_macs, layers=BOTTLENECK_LAYERS)
        tail += Work(coded.cost.decoder_macs, layers=BOTTLENECK_LAYERS)
    return replace(_timed(design, head, tail, sent, places), run=split.run)


def _timed(design: Design, head: Work, tail: Work, sent: Sent | None, places: Places) -> Timed:
    """Latency, capacity and energy of simulated frames; ``sent`` is ``None``: nothing travels."""
    device, options = places.device, places.options
    work, parts = _frame(head, tail, sent, places)
    send_w: float | None = options["send_W"] if sent else 0.0
    known = device.power_W is not None and send_w is not None
    power = Power(0.0, device.power_W or 0.0, send_w or 0.0) if known else None
    frames, asked_ms = options["frames"], places.requirement.p95_ms
    rate_hz = options["rate_hz"] or places.requirement.frames_per_s or 1.0
    deadline_s = asked_ms and asked_ms / 1000
    how: dict[str, Any] = {"deadline_s": deadline_s, "power": power, "overlap": options["overlap"]}
    setting = Setting(work, Arrival(rate_hz=rate_hz), places.channel, **how)
    seen = simulate(setting, frames)
    full = replace(setting, arrival=Arrival(rate_hz=SATURATED_HZ))
    one_s, all_s = (simulate(full, count).duration_s for count in (1, SATURATED_FRAMES))
    parts["answer"] = seen.answer_s
    parts["send"] = max(0.0, seen.mean_s - sum(parts.values()))
    times = parts | {"mean": seen.mean_s, "p50": seen.p50_s, "p99": seen.p99_s}
    design = replace(
        design,
        codec=sent.name if sent else None,
        p95_ms=1000 * seen.p95_s,
        frames_per_s=(SATURATED_FRAMES - 1) / (all_s - one_s),
        device_macs=head.dense_macs + head.depthwise_macs,
        energy_J=None if seen.energy_j is None else seen.energy_j / frames,
        payload_bytes=math.ceil(sent.payload_bytes) if sent else 0,
    )
    late = None if seen.missed is None else seen.missed / frames
    return Timed(design, {f"{key}_ms": 1000 * s for key, s in times.items()}, late)


def _frame(
    head: Work, tail: Work, sent: Sent | None, places: Places
) -> tuple[FrameWork, dict[str, float]]:
    """What a frame asks for, and the seconds of its parts as far as no simulation is needed."""
    device_s, options = places.device.seconds(head), places.options
    if not sent:
        elsewhere = dict.fromkeys(("encode", "server"), 0.0)
        return FrameWork(device_s), {"device": device_s, **elsewhere}
    request_s = (np.atleast_1d(options["request_ms"]) / 1000).tolist()
    tail_s, chance = places.server.seconds(tail), np.random.default_rng(0)

    def serve_s(_: int) -> float:
        return tail_s + float(request_s[int(chance.random() * len(request_s))])

    there, back = math.ceil(sent.payload_bytes), FrameWork(device_s).answer_bytes
    there, back = (size + options["request_bytes"] for size in (there, back))
    work = FrameWork(device_s, sent.encode_s, there, sent.decode_s, serve_s, back)
    server_s = sent.decode_s + tail_s + fmean(request_s)
    return work, {"device": device_s, "encode": sent.encode_s, "server": server_s}
