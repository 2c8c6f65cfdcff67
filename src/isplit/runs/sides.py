"""What the two sides of a reopened net cost, and what sending its images as they are does."""

from __future__ import annotations

import math
import time
from functools import partial

import torch
from omegaconf import DictConfig

from isplit.bottleneck import make_bottleneck
from isplit.codec import from_config
from isplit.graph.work import split_work, total_work
from isplit.point import FLOAT32_BYTES
from isplit.runs.erasures import under_loss
from isplit.runs.reopened import Reopened
from isplit.stages import tested
from isplit.studies.run_folder import Run
from isplit.studies.seen import Sent, Sides

BATCH = 100


def sides_of(cfg: DictConfig, ready: Reopened) -> Sides:
    """Work of head and tail at every point, and the bytes and accuracy of the image itself."""
    base = ready.base
    ends = [point.node for point in base.points]
    return Sides(
        whole=total_work(base.traced),
        parts=split_work(base.traced, base.points),
        held_bytes=[*(_held(ready, end) for end in ends), _held(ready, None)],
        image=_image(ready, cfg.study.image, cfg.study.quality),
        encoder_params=partial(_encoder_params, ready),
        under_loss=partial(under_loss, cfg, ready),
    )


def _held(ready: Reopened, end: str | None) -> int:
    """Bytes of the inputs and the output of the largest step up to a node, as float32."""
    largest = 0
    for node in ready.base.traced.graph.nodes:
        tensors = [n for n in (node, *node.all_input_nodes) if "shape" in n.meta]
        largest = max(largest, sum(math.prod(n.meta["shape"]) for n in tensors))
        if node.name == end:
            break
    return largest * FLOAT32_BYTES


def _encoder_params(ready: Reopened, run: Run) -> int:
    point, rate = ready.base.points[run.result.split.index], run.result.bottleneck.compression_rate
    with torch.device("meta"):
        return sum(p.numel() for p in make_bottleneck(point, rate).encoder.parameters())


@torch.no_grad()
def _image(ready: Reopened, form: str, quality: int) -> Sent:
    """The image as its pixels, which cost no accuracy, or as JPEG: all test images are answered."""
    data, net = ready.bench.data, ready.base.traced.eval()
    if form == "raw":
        size = data.image_size
        return Sent("raw pixels", tested(ready.base.stored).accuracy, 3 * size * size)
    codec = from_config({"name": "jpeg", "quality": quality})
    std, mean = (
        torch.tensor(v)[:, None, None] for v in (data.preparation.std, data.preparation.mean)
    )
    sizes: list[int] = []
    right, times_s = 0, [0.0, 0.0]
    for images, labels in data.loader("test", BATCH):
        pixels = ((images * std + mean) * 255).round().clamp(0, 255).to(torch.uint8).numpy()
        start_s = time.perf_counter()
        payloads = codec.encode(pixels)
        middle_s = time.perf_counter()
        seen = torch.from_numpy(codec.decode(payloads))
        times_s = [times_s[0] + middle_s - start_s, times_s[1] + time.perf_counter() - middle_s]
        sizes += map(len, payloads)
        right += int((net(data.preparation.normalised(seen)).argmax(1) == labels).sum())
    figures = (value / len(sizes) for value in (right, sum(sizes), *times_s))
    return Sent(f"JPEG of quality {quality}", *figures)
