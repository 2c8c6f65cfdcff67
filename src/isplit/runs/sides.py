"""What the two sides of a reopened net cost, and what sending its images as they are does."""

import time
from collections.abc import Iterator
from functools import partial

import torch
from omegaconf import DictConfig
from torch import Tensor

from isplit.bottleneck import bottleneck_at
from isplit.codec import from_config
from isplit.evaluate import cost, evaluate
from isplit.graph.measure import split_work, total_work
from isplit.point import SplitPoint, same_code
from isplit.runs.base import Base
from isplit.runs.erasures import under_loss
from isplit.stages import tested
from isplit.studies.run_folder import Run
from isplit.studies.seen import Coded, Sent, Sides

BATCH = 100


def sides_of(cfg: DictConfig, ready: Base) -> Sides:
    """Work of head and tail at every point, and the bytes and accuracy of the image itself."""
    traced, points = ready.traced, ready.points
    size = ready.bench.data.image_size
    image = Sent("raw pixels", tested(ready.stored).accuracy, 3 * size * size)
    return Sides(
        whole=total_work(traced),
        parts=split_work(traced, points),
        image=_jpeg(ready, cfg.study.quality) if cfg.study.image == "jpeg" else image,
        coded=partial(_coded, ready),
        under_loss=partial(under_loss, cfg, ready),
    )


def coded_at(point: SplitPoint, rate: float) -> Coded:
    """The bottleneck at a point, whatever its weights."""
    with torch.device("meta"):
        bottleneck = bottleneck_at(point, rate)
    params = sum(p.numel() for p in bottleneck.encoder.parameters())
    return Coded(rate, cost(point, bottleneck), params)


def _coded(ready: Base, run: Run, position: int) -> Coded:
    point, trained, rate = ready.points[position], run.result.bottleneck, 0.0
    if trained:
        elements = run.config["bottleneck"]["code_elements"]
        rate = same_code(elements)(point) if elements else trained.compression_rate
    return coded_at(point, rate)


def _jpeg(ready: Base, quality: int) -> Sent:
    """All test images as JPEG: what the unsplit net answers from them, mean bytes and seconds."""
    data, codec = ready.bench.data, from_config({"name": "jpeg", "quality": quality})
    preparation = data.preparation
    notes: list[tuple[float, float, float]] = []  # of each batch: bytes, seconds of both ways

    def decoded() -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in data.loader("test", BATCH):
            pixels = preparation.pixels(images).numpy()
            start_s = time.process_time()
            payloads = codec.encode(pixels)
            middle_s = time.process_time()
            seen = torch.from_numpy(codec.decode(payloads))
            decode_s = time.process_time() - middle_s
            notes.append((sum(map(len, payloads)), middle_s - start_s, decode_s))
            yield preparation.normalised(seen), labels

    found = evaluate(ready.traced, decoded(), data.num_classes)
    means = (sum(column) / len(found.predictions) for column in zip(*notes, strict=True))
    return Sent(f"JPEG of quality {quality}", found.accuracy, *means)
