"""A classifier of the user's own: any module from images to logits."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from isplit.backbones.checkpoint import load_state, read_state
from isplit.backbones.layout import check_runs, head_path


def adopt(
    net: nn.Module, num_classes: int, *, image_size: int, weights: str | Path | None = None
) -> nn.Module:
    """``net`` with the weights of a file, after a check that it fits the data.

    Args:
        net: from images (N, 3, S, S) to logits (N, classes).
        num_classes: of the data set.
        image_size: pixels of a side.
        weights: ``.safetensors``, ``.ckpt`` or ``.pth``, of all of ``net``.

    Raises:
        ValueError: it is no module, does not run on such images, gives another number of logits,
            or the weights are of another architecture.
        FileNotFoundError: the weights file is not there.
    """
    if not isinstance(net, nn.Module):
        raise ValueError(f"model.net makes a {type(net).__name__}, which is no torch.nn.Module")
    logits = check_runs(net, type(net).__name__, image_size)
    if logits != (1, num_classes):
        raise ValueError(
            f"model.net gives {logits} for one image, the data has {num_classes} classes: "
            f"(1, {num_classes}) is needed"
        )
    if weights is not None:
        path = Path(weights)
        load_state(net, read_state(path, list(net.state_dict())), path, head_path(net))
    return net
