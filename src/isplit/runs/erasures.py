"""Accuracy where UDP packets are lost: real payloads, real losses, the tail's real answers.

A lost packet of an entropy-coded payload takes along what cannot be decoded without it. So a tensor
travels in one of two ways: as one payload, which is lost with any of its packets (its checksum says
so), or with the coefficients of each packet coded by themselves, which costs bytes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig
from torch import Tensor

from isplit.artifact import load_split_model
from isplit.codec import Codec, from_config
from isplit.graph import split_at
from isplit.network import Channel, carriers, erased, lost_packets
from isplit.network.loss import LAYOUTS
from isplit.network.transport import HEADERS_BYTES
from isplit.runs.reopened import Reopened
from isplit.studies.run_folder import Run
from isplit.studies.seen import UnderLoss

WHOLE = "one payload"


@dataclass(frozen=True)
class _Way:
    """A tensor (N, ...) to send, what usually stands there (1, ...), what answers from it."""

    name: str
    codec: Codec
    values: Tensor
    usual: Tensor
    answers: Callable[[Tensor], Tensor]


@torch.no_grad()
def under_loss(cfg: DictConfig, ready: Reopened, run: Run) -> list[UnderLoss]:
    """Accuracy on test images at each loss, of features and code, however they are sent."""
    data, most, point = (
        ready.bench.data,
        cfg.study.images,
        ready.base.points[run.result.split.index],
    )
    net = ready.base.traced if "net" in ready.base.keys else None
    split = load_split_model(run.folder, copy.deepcopy(net))
    head, tail = split_at(copy.deepcopy(ready.base.traced).eval(), point)
    batches = [
        data.loader(part, most, images=most, seed=ready.job.seed) for part in ("test", "validation")
    ]
    (images, labels), (others, _) = (next(iter(batch)) for batch in batches)
    axes = [axis for axis in range(len(point.shape) + 1) if axis != point.channel_axis + 1]
    coders = {f"{name}, {cfg.study.bits} bits": name for name in ("quantize", "rle", "ans")}
    settings = {name: {"name": coder, "bits": cfg.study.bits} for name, coder in coders.items()}
    features = {"float32": {"name": "plain"}} | settings
    tensors = [
        ("features", features, head, tail),
        ("code", {"float32": {"name": "plain"}}, split.encode, split.decode),
    ]
    found: list[UnderLoss] = []
    for tensor, ways, first, rest in tensors:
        values, usual = first(images), first(others).mean(axes, keepdim=True)
        for name, config in ways.items():
            way = _Way(f"{tensor}, {name}", from_config(config), values, usual, rest)
            found += _measured(cfg, way, labels)
    return found


def _measured(cfg: DictConfig, way: _Way, labels: Tensor) -> Iterator[UnderLoss]:
    flat = way.values.flatten(1).numpy()
    usual = way.usual.expand(1, *way.values.shape[1:]).flatten(1).numpy()
    room = (cfg.channel.mtu_bytes or 1500) - HEADERS_BYTES
    for layout in (*LAYOUTS, WHOLE):
        carrier, decoded, size = _sent(way.codec, flat, layout, room)
        packets = int(carrier.max()) + 1
        for loss in cfg.study.loss:
            way_up = Channel(1.0, 1.0, 0.0, loss=loss, burst_packets=cfg.channel.burst_packets)
            lost = lost_packets(way_up, len(flat), packets, np.random.default_rng(0))
            lost = lost | lost.any(1, keepdims=True) if layout == WHOLE else lost
            gone = erased(lost, carrier)
            for fill, stand_in in (("zero", 0.0), ("channel mean", usual)):
                filled = torch.from_numpy(np.where(gone, stand_in, decoded).astype(np.float32))
                answers = way.answers(filled.reshape(way.values.shape)).argmax(1)
                accuracy = float((answers == labels).double().mean())
                yield UnderLoss(way.name, layout, fill, loss, accuracy, packets, size)


def _sent(
    codec: Codec, flat: NDArray[np.float32], layout: str, room: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], float]:
    """The packet of each coefficient, what is decoded where none is lost, and the mean bytes."""
    whole = codec.encode(flat)
    size = sum(map(len, whole)) / len(whole)
    if layout == WHOLE:
        packets = max(-(-max(map(len, whole)) // room), 1)
        return carriers(flat.shape[1], packets, LAYOUTS[0]), codec.decode(whole), size
    for packets in count(max(int(size / room), 1)):
        carrier = carriers(flat.shape[1], packets, layout)
        sent = [codec.encode(flat[:, carrier == packet]) for packet in range(packets)]
        if max(len(payload) for one in sent for payload in one) <= room:
            break
    decoded = np.empty_like(flat)
    for packet, payloads in enumerate(sent):
        decoded[:, carrier == packet] = codec.decode(payloads)
    return carrier, decoded, sum(len(payload) for one in sent for payload in one) / len(flat)
