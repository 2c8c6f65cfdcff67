"""Accuracy where UDP packets are lost: real payloads, real losses, the tail's real answers.

A lost packet of an entropy-coded payload takes along what cannot be decoded without it. So a tensor
travels in one of two ways: as one payload, which is lost with any of its packets (its checksum says
so), or with the coefficients of each packet coded by themselves, which costs bytes.
"""

import copy
from collections.abc import Callable, Iterator
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
from isplit.network.link import LAYOUTS
from isplit.network.transport import HEADERS_BYTES
from isplit.runs.base import Base
from isplit.studies.run_folder import Run
from isplit.studies.seen import Lost

WHOLE = "one payload"
CODERS = ("plain", "quantize", "rle", "ans")
Answers = Callable[[Tensor], Tensor]


@torch.no_grad()
def under_loss(cfg: DictConfig, ready: Base, run: Run) -> list[Lost]:
    """Accuracy at each loss of features and code, however they are sent.

    A row has payload, layout (which coefficients share a packet), fill (what stands in for those
    that are gone), loss, accuracy (0..1), packets, and the mean bytes of them all.
    """
    data, most = ready.bench.data, cfg.study.images
    point = ready.points[run.result.split.index]
    ways: dict[str, tuple[Answers, Answers]] = {}
    if run.result.bottleneck:
        split = load_split_model(run.folder, ready.traced if "net" in ready.keys else None)
        ways["code"] = split.encode, split.decode
    head, tail = split_at(copy.deepcopy(ready.traced).eval(), point)
    parts = [
        data.loader(part, most, images=most, seed=ready.cfg.seed) for part in ("test", "validation")
    ]
    (images, labels), (others, _) = (next(iter(part)) for part in parts)
    axes = [axis for axis in range(len(point.shape) + 1) if axis != point.channel_axis + 1]
    found: list[Lost] = []
    for coder, (first, rest) in (dict.fromkeys(CODERS, (head, tail)) | ways).items():
        bits = {} if coder in ("plain", "code") else {"bits": cfg.study.bits}
        codec = from_config({"name": coder.replace("code", "plain"), **bits})
        kind = coder.replace("plain", "features")
        name = f"features, {coder} {cfg.study.bits} bits" if bits else f"{kind}, float32"
        values, usual = first(images), first(others).mean(axes, keepdim=True)
        for row, filled in _received(codec, values, usual, cfg):
            right = (rest(filled).argmax(1) == labels).double().mean()
            found.append({"payload": name, **row, "accuracy": float(right)})
    return found


def _received(
    codec: Codec, values: Tensor, usual: Tensor, cfg: DictConfig
) -> Iterator[tuple[Lost, Tensor]]:
    """What arrives of a tensor (N, ...) whose gaps are filled by zero or by ``usual``."""
    flat = values.flatten(1).numpy()
    typical = usual.expand(1, *values.shape[1:]).flatten(1).numpy()
    for layout in (*LAYOUTS, WHOLE):
        carrier, decoded, size = _sent(codec, flat, layout, cfg.channel.mtu_bytes - HEADERS_BYTES)
        packets = int(carrier.max()) + 1
        for loss in cfg.study.loss:
            way = Channel(1.0, 1.0, 0.0, loss=loss, burst_packets=cfg.channel.burst_packets)
            lost = lost_packets(way, len(flat), packets, np.random.default_rng(0))
            gone = erased(lost | (layout == WHOLE) & lost.any(1, keepdims=True), carrier)
            row = {"layout": layout, "loss": loss, "packets": packets, "payload_bytes": size}
            for fill, stand_in in (("zero", np.float32(0)), ("channel mean", typical)):
                filled = torch.from_numpy(np.where(gone, stand_in, decoded))
                yield row | {"fill": fill}, filled.reshape(values.shape)


def _sent(
    codec: Codec, flat: NDArray[np.float32], layout: str, room: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], float]:
    """The packet of each coefficient, what is decoded where none is lost, and the mean bytes."""
    whole = codec.encode(flat)
    size = sum(map(len, whole)) / len(whole)
    if layout == WHOLE:
        carrier = carriers(flat.shape[1], -(-max(map(len, whole)) // room), LAYOUTS[0])
        return carrier, codec.decode(whole), size
    for packets in count(max(int(size / room), 1)):
        carrier = carriers(flat.shape[1], packets, layout)
        sent = [codec.encode(flat[:, carrier == packet]) for packet in range(packets)]
        if max(len(payload) for one in sent for payload in one) <= room:
            break
    decoded = np.empty_like(flat)
    for packet, payloads in enumerate(sent):
        decoded[:, carrier == packet] = codec.decode(payloads)
    return carrier, decoded, sum(len(payload) for one in sent for payload in one) / len(flat)
