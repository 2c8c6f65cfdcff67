"""Does ``tail(head(x))`` equal ``model(x)`` bit for bit? Every point of a model, tried."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from isplit.graph.cutting import split_at
from isplit.graph.points import split_points
from isplit.graph.tracing import trace
from isplit.graph.zoo import randomise_constants
from isplit.types import SplitPoint

SHOWN = 3


@dataclass(frozen=True)
class Verdict:
    """What trying every split point of a model came to.

    Attributes:
        name: of the model.
        points: split points at granularity ``all``.
        layers: split points at granularity ``layer``.
        bitwise: whether every one of them gave the model's answer, bit for bit.
        reason: why not, or ``None``.
        seconds: it took.
    """

    name: str
    points: int
    layers: int
    bitwise: bool
    reason: str | None
    seconds: float


def check(name: str, model: nn.Module, image: Tensor) -> Verdict:
    """Tries head and tail at every split point on two random images; the trace has seen one.

    Weights that are constant are randomised first. The model is changed and left in eval mode.
    """
    start = time.perf_counter()
    randomise_constants(model.eval())
    points: list[SplitPoint] = []
    layers = 0
    try:
        traced = trace(model, image)
        points = split_points(traced, "all")
        layers = len(split_points(traced, "layer"))
        reason = _difference(model, traced, points, torch.randn(2, *image.shape[1:]))
    except (ValueError, RuntimeError) as error:
        reason = str(error)
    seconds = time.perf_counter() - start
    return Verdict(name, len(points), layers, reason is None, reason, round(seconds, 2))


@torch.no_grad()
def _difference(
    model: nn.Module, traced: fx.GraphModule, points: Sequence[SplitPoint], images: Tensor
) -> str | None:
    """Where head and tail do not give the model's answer; ``None`` if they do everywhere."""
    expected = model(images)
    if not expected.isfinite().all() or torch.equal(expected[0], expected[1]):
        return "its answers are not finite or do not depend on the image: nothing to compare"
    wrong = []
    for point in points:
        head, tail = split_at(traced, point)
        if not torch.equal(tail(head(images)), expected):
            wrong.append(point.name)
    return f"{len(wrong)} points differ: {', '.join(wrong[:SHOWN])}" if wrong else None
