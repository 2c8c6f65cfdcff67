"""What is kept in memory: the features of the frozen head; and what a training step takes of it."""

import copy
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
COPIES = 4  # of the trained weights: themselves, gradients, two moments of Adam
EXAMPLES = 2  # BatchNorm refuses one image in training mode
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
MEMINFO = Path("/proc/meminfo")


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


def say_if_too_large(
    stage: str, net: nn.Module, image_size: int, batch_size: int, device: torch.device
) -> None:
    """Warn, before a stage trains, where one of its steps is expected to exceed free memory."""
    needed, free = step_bytes(net, image_size, batch_size), free_bytes(device)
    if needed is not None and free is not None and needed > free:
        log.warning(
            "%s: a step with stage.%s.batch_size=%d takes at least %.1f GB and %.1f GB are free: "
            "choose a smaller batch_size",
            *(stage, stage, batch_size, needed / 1e9, free / 1e9),
        )


def step_bytes(net: nn.Module, image_size: int, batch_size: int) -> int | None:
    """Bytes of one training step: what autograd keeps for the images, and the weights' copies.

    Counted on the meta device, so nothing is computed or allocated. ``None`` where the net does
    not run there.

    >>> step_bytes(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()), 32, 1) // 1024
    29
    """
    shadow = copy.deepcopy(net).to("meta").train()
    own = {id_of(tensor) for tensor in (*shadow.parameters(), *shadow.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if id_of(tensor) not in own:
            kept[id_of(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    images = torch.empty(EXAMPLES, 3, image_size, image_size, device="meta")
    try:
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            answer = shadow(images)  # kept until all is counted, so that no id comes twice
    except (RuntimeError, NotImplementedError):
        return None
    del answer
    weights = sum(p.numel() * p.element_size() for p in net.parameters() if p.requires_grad)
    return sum(kept.values()) * batch_size // EXAMPLES + COPIES * weights


def free_bytes(device: torch.device) -> int | None:
    """Bytes that this process may still take on the device; ``None`` where that is not known."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    known = []
    if MEMINFO.exists():
        fields = dict(line.split(":") for line in MEMINFO.read_text().splitlines())
        known.append(1024 * int(fields["MemAvailable"].split()[0]))
    if CGROUP_LIMIT.exists() and (limit := CGROUP_LIMIT.read_text().strip()).isdigit():
        known.append(int(limit))
    return min(known, default=None)


def id_of(tensor: Tensor) -> int:
    """The same for tensors that share memory."""
    return int(tensor.untyped_storage()._cdata)


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
