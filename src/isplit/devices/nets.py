"""The nets that people measure, by name; torch is imported when one is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from isplit.devices.fitting import Net
from isplit.point import Work

if TYPE_CHECKING:
    from torch import nn


def works_of(nets: Iterable[Net]) -> dict[Net, Work]:
    """The work of each net, counted in its graph; no weights are made."""
    return {net: _work(net) for net in nets}


def build(net: Net) -> nn.Module:
    """A net of torchvision with random weights, in eval mode.

    Raises:
        ValueError: torchvision has no such net, or not at this width.
    """
    from torchvision import models

    names = models.list_models(module=models)
    if net.model not in names:
        raise ValueError(f"model={net.model!r} is no classifier of torchvision: {', '.join(names)}")
    width: dict[str, Any] = {} if net.width_mult == 1 else {"width_mult": net.width_mult}
    try:
        model: nn.Module = models.get_model(net.model, weights=None, **width)
    except TypeError as error:
        raise ValueError(f"width_mult={net.width_mult:g}: {net.model} has one width") from error
    return model.eval()


@cache
def _work(net: Net) -> Work:
    import torch

    from isplit.graph import trace
    from isplit.graph.work import total_work

    with torch.device("meta"):
        model, image = build(net), torch.empty(1, 3, net.image_size, net.image_size)
    return total_work(trace(model, image))
