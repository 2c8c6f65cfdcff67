"""Features of the frozen head, computed once and kept in memory or in a file."""

import logging
import math
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from isplit.point import FLOAT32_BYTES

log = logging.getLogger(__name__)

DISK_MARGIN = 2**30  # bytes that a spill leaves free on the disk


class Features(Dataset[tuple[Tensor, Tensor]]):
    """Features and labels of a split of the data, in its order.

    Answers to (epoch, index) pairs as the image sets do, so that the same sampler gives the same
    order.
    """

    def __init__(self, features: Tensor, labels: Tensor) -> None:
        self.features, self.labels = features, labels

    def __len__(self) -> int:
        return len(self.features)

    def __getitems__(self, keys: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """A whole batch at once."""
        index = torch.tensor([i for _, i in keys])
        return self.features[index], self.labels[index]


@torch.no_grad()
def compute_features(
    head: nn.Module,
    images: DataLoader[Any],
    shape: tuple[int, ...],
    spill: Path,
    memory_bytes: int,
    device: torch.device,
) -> Features | None:
    """Output of ``head`` for every image, in order; None where it fits neither memory nor disk.

    Args:
        head: gives features of ``shape`` for an image.
        images: batches of images and labels, in order.
        spill: file the features go to if they take more than ``memory_bytes``.
    """
    count = len(images.dataset)  # type: ignore[arg-type]
    features = _allocate((count, *shape), spill, memory_bytes)
    if features is None:
        return None
    labels, begin = [], 0
    head = head.eval().to(device)
    for batch, label in images:
        features[begin : begin + len(batch)] = head(batch.to(device)).cpu()
        begin += len(batch)
        labels.append(label)
    return Features(features, torch.cat(labels))


def _allocate(shape: tuple[int, ...], spill: Path, memory_bytes: int) -> Tensor | None:
    """Room for a float32 tensor: in memory, else in a mapped file, else none."""
    numel = math.prod(shape)
    if numel * FLOAT32_BYTES <= memory_bytes:
        return torch.empty(shape)
    if numel * FLOAT32_BYTES + DISK_MARGIN > shutil.disk_usage(spill.parent).free:
        log.info("features are not kept: %.1f GB fit neither memory nor disk", numel * 4e-9)
        return None
    log.info("features go to disk: %.1f GB", numel * FLOAT32_BYTES / 1e9)
    return torch.from_file(str(spill), shared=True, size=numel).view(shape)
