"""What a training step takes of the memory there is."""

import copy
import logging
from pathlib import Path

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

COPIES = 4  # of the trained weights: themselves, gradients, two moments of Adam
EXAMPLES = 2  # BatchNorm refuses one image in training mode
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
MEMINFO = Path("/proc/meminfo")


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
    except Exception:  # a net that takes no such images, or has no kernels there
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
