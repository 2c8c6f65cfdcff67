"""The features and their gradients at many split points, in one forward and one backward pass."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, fx, nn

from isplit.graph.tracing import eval_mode
from isplit.point import SplitPoint

Visit = Callable[[int, Tensor, Tensor], None]
"""Called with a point's position, its features and their gradients, both (N, *point.shape)."""

_ACTIVATIONS = (
    *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus"),
    *("hardswish", "hardtanh", "hardsigmoid", "sigmoid", "tanh"),
)  # as functions and methods; as modules torch keeps them together
_NAMES_PART = ("call_module", "get_attr")
_TAP = "_isplit_tap_"


@contextmanager
def tapped(
    traced: fx.GraphModule, points: Sequence[SplitPoint], visit: Visit, tap: str = "point"
) -> Iterator[fx.GraphModule]:
    """The model in eval mode with frozen parameters, whose backward pass visits every point.

    ::

        with tapped(traced, points, visit) as model:
            true_class(model(images), labels).sum().backward()   # visit(17, ...) ... visit(0, ...)

    The points are visited from the deepest to the first, each as soon as its gradient exists, and
    its features are let go right after. The backward pass ends at the first point: what lies before
    it runs without autograd. The model given shares its modules with ``traced``, whose own graph
    is not touched; training flags and ``requires_grad`` are put back at the end, on errors too.

    Args:
        traced: a model without in-place operations (``isplit.graph.trace``).
        points: of this model, from the input on.
        visit: what to do with features and gradients; must not keep the tensors.
        tap: ``point`` for the features that cross, ``pre_activation`` for the input of the
            activation that a point ends with (points that do not end with one stay).

    Raises:
        ValueError: features were overwritten in place before they were visited.
    """
    taps = _Taps(points, visit)
    with evaluation_mode(traced), torch.inference_mode(False), torch.enable_grad():
        try:
            yield _with_taps(traced, points, taps, tap)
        finally:
            taps.features.clear()


@dataclass
class _Taps:
    """What is held between the forward and the backward pass: features and their version."""

    points: Sequence[SplitPoint]
    visit: Visit
    features: dict[int, tuple[Tensor, int]] = field(default_factory=dict)

    def hold(self, position: int, features: Tensor) -> Tensor:
        """Remember the features until their gradient comes; the first ones become the leaf."""
        if position == 0 or not features.requires_grad:
            features = features.detach().requires_grad_()
        self.features[position] = (features.detach(), features._version)
        features.register_hook(  # type: ignore[no-untyped-call]
            lambda gradients: self._release(position, gradients)
        )
        return features

    def _release(self, position: int, gradients: Tensor) -> None:
        features, version = self.features.pop(position)
        if features._version != version:
            raise ValueError(
                f"the features at {self.points[position].name} were overwritten in place after "
                "they were tapped: trace the model with isplit.graph.trace"
            )
        with torch.no_grad():
            self.visit(position, features, gradients)


class _Tap(nn.Module):
    """Identity in the graph at one point."""

    def __init__(self, taps: _Taps, position: int) -> None:
        super().__init__()
        self.taps, self.position = taps, position

    def forward(self, features: Tensor) -> Tensor:
        return self.taps.hold(self.position, features)


def _with_taps(
    traced: fx.GraphModule, points: Sequence[SplitPoint], taps: _Taps, tap: str
) -> fx.GraphModule:
    """The same modules under a copy of the graph that calls a tap at every point."""
    graph = copy.deepcopy(traced.graph)
    nodes = {node.name: node for node in graph.nodes}
    parts = {n.target: attrgetter(n.target)(traced) for n in nodes.values() if n.op in _NAMES_PART}
    for position, point in enumerate(points):
        node = nodes[point.node]
        if tap == "pre_activation":
            node = _before_activation(parts, node)
        name = f"{_TAP}{position}"
        parts[name] = _Tap(taps, position)
        with graph.inserting_after(node):
            tapped_node = graph.create_node("call_module", name, (node,))
        node.replace_all_uses_with(tapped_node, lambda user, own=tapped_node: user is not own)
    model = fx.GraphModule(parts, graph)  # from parts: compiles once
    model.training = False
    return model


def _before_activation(parts: dict[str, Any], node: fx.Node) -> fx.Node:
    """The node that feeds the activation ``node``; ``node`` itself where it is none."""
    match node.op:
        case "call_module":
            kind = type(parts[str(node.target)])
            is_activation = kind.__module__ == "torch.nn.modules.activation"
        case "call_function" | "call_method":
            name = getattr(node.target, "__name__", str(node.target))
            is_activation = name.removesuffix(".default").rstrip("_") in _ACTIVATIONS
        case _:
            is_activation = False
    return node.all_input_nodes[0] if is_activation else node


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Every module in eval mode and every parameter frozen, for a while."""
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        with eval_mode(model):
            for parameter, _ in flags:
                parameter.requires_grad_(False)
            yield
    finally:
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
