"""The features and their gradients at many split points, in one forward and one backward pass.

Shape suffixes: M kinds of map, N images, C channels, X positions (of a map or of a token sequence).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from isplit.graph.tracing import changed, eval_mode
from isplit.point import SplitPoint

Visit = Callable[[int, Tensor, Tensor], None]
"""Called with a point's position, its features and their gradients, both (N, *point.shape)."""
_ACTIVATIONS = (
    *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus"),
    *("hardswish", "hardtanh", "hardsigmoid", "sigmoid", "tanh"),
)  # as functions and methods; as modules torch keeps them together


@contextmanager
def tapped(
    traced: fx.GraphModule, points: Sequence[SplitPoint], visit: Visit, tap: str = "point"
) -> Iterator[Callable[[Tensor], Tensor]]:
    """The model in eval mode with frozen parameters, whose backward pass visits every point.

    ::

        with tapped(traced, points, visit) as model:
            true_class(model(images), labels).sum().backward()   # visit(17, ...) ... visit(0, ...)

    The points are visited from the deepest to the first, each as soon as its gradient exists, and
    its features are let go right after. The backward pass ends at the first point: what lies before
    it runs without autograd. What is given runs the modules of ``traced``, whose graph is not
    touched; training flags and ``requires_grad`` are put back at the end, on errors too.

    Args:
        traced: a model without in-place operations (``isplit.graph.trace``).
        points: of this model, from the input on.
        visit: what to do with features and gradients; must not keep the tensors.
        tap: ``point`` for the features that cross, ``pre_activation`` for the input of the
            activation that a point ends with (points that do not end with one stay).

    Raises:
        ValueError: features were overwritten in place before they were visited.
    """
    model = _Tapped(traced, points, visit, tap)
    with evaluation_mode(traced), torch.inference_mode(False), torch.enable_grad():
        try:
            yield model.run
        finally:
            model.features.clear()


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Every module in eval mode and every parameter frozen, for a while."""
    with eval_mode(model), changed(model.parameters(), requires_grad=False):
        yield


def by_channel(features: Tensor, point: SplitPoint) -> Tensor:
    """View (N, C, X) of maps, sequences and vectors (C), wherever the point has its channels."""
    if len(point.shape) == 1:
        return features.unsqueeze(2)
    return features.movedim(1 + point.channel_axis, 1).flatten(2)


def grid_of(point: SplitPoint) -> tuple[int, ...]:
    """Shape of the positions: (H, W), (T,), or (1,) for a vector."""
    axis = point.channel_axis
    return (*point.shape[:axis], *point.shape[axis + 1 :]) or (1,)


def on_grid(maps: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Maps (M, N, ...) that broadcast over ``grid``: nearest neighbour between (H, W) grids.

    Between a grid and a sequence of another length no place corresponds: the mean goes everywhere.
    """
    if tuple(maps.shape[2:]) == grid:
        return maps
    if maps.dim() == 4 and len(grid) == 2:
        return F.interpolate(maps, size=list(grid), mode="nearest")
    return maps.flatten(2).mean(2)[(..., *(None for _ in grid))]


class _Tapped(fx.Interpreter):
    """Runs a graph; holds features and their version between the forward and the backward pass."""

    def __init__(
        self, traced: fx.GraphModule, points: Sequence[SplitPoint], visit: Visit, tap: str
    ) -> None:
        super().__init__(traced)
        self.points, self.visit = points, visit
        self.features: dict[int, tuple[Tensor, int]] = {}
        self.positions: defaultdict[fx.Node, list[int]] = defaultdict(list)
        nodes = {node.name: node for node in traced.graph.nodes}
        for position, point in enumerate(points):
            node = nodes[point.node]
            early = tap == "pre_activation" and _is_activation(traced, node)
            self.positions[node.all_input_nodes[0] if early else node].append(position)

    def run_node(self, n: fx.Node) -> Any:
        """The value of a node; at a point, with a hook for its gradient."""
        value = super().run_node(n)
        for position in self.positions.get(n, ()):
            value = self._hold(position, value)
        return value

    def _hold(self, position: int, features: Tensor) -> Tensor:
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


def _is_activation(traced: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        kind = type(traced.get_submodule(str(node.target)))
        return kind.__module__ == "torch.nn.modules.activation"
    name = getattr(node.target, "__name__", str(node.target))
    calls = node.op in ("call_function", "call_method")
    return calls and name.removesuffix(".default").rstrip("_") in _ACTIVATIONS
