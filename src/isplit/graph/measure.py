"""What every node of a graph gives and costs, and how much work a net and its two sides are.

Of a node: shape, channels, sizes and multiply-accumulates.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from isplit.graph.flops import FLOPS_PER_MAC, flop_counter
from isplit.graph.nodes import UNKNOWN, Axes, channel_axes, operation, parameters_of
from isplit.point import SplitPoint, Work

Fact = dict[str, Any]
"""``macs``; ``shape``, ``dtype`` and ``channels`` of a tensor, ``value`` of what holds none."""
GROUPS_ARGUMENT = 6
"""Place of ``groups`` among the arguments of ``torch.nn.functional.conv2d``."""


def measure(traced: fx.GraphModule, example: Tensor, batch_size: int) -> dict[fx.Node, Fact]:
    """What each node gives for ``batch_size`` images shaped as those of ``example``, and its MACs.

    Nothing is computed: fake tensors carry shapes through the graph, whatever its size. MACs are
    those of convolutions, linear layers and matrix products (half of torch's FLOP count).
    """
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with torch.no_grad(), _slow_attention(), fake, flop_counter() as counter:
        shape = (batch_size, *example.shape[1:])
        images = torch.empty(shape, dtype=example.dtype, device=example.device)
        recorder = _Recorder(traced, counter)
        recorder.run(images)
    return recorder.facts


def total_work(traced: fx.GraphModule) -> Work:
    """The work of one image in a whole net from :func:`isplit.graph.trace`."""
    return _work(traced, list(traced.graph.nodes))


def split_work(traced: fx.GraphModule, points: Iterable[SplitPoint]) -> list[tuple[Work, Work]]:
    """The work of head and tail for each split point; parameters used by both count in both."""
    nodes = list(traced.graph.nodes)
    ends = {node.name: end for end, node in enumerate(nodes, start=1)}
    cuts = [ends[point.node] for point in points]
    return [(_work(traced, nodes[:end]), _work(traced, nodes[end:])) for end in cuts]


def costs_of(traced: fx.GraphModule) -> dict[fx.Node, tuple[int, int, int]]:
    """MACs up to and after each node, and parameters up to it."""
    total = sum(node.meta.get("macs", 0) for node in traced.graph.nodes)
    done = 0
    parameters: dict[int, int] = {}
    costs = {}
    for node in traced.graph.nodes:
        done += node.meta.get("macs", 0)
        parameters |= {id(p): p.numel() for p in parameters_of(traced, node)}
        costs[node] = (done, total - done, sum(parameters.values()))
    return costs


class _Recorder(fx.Interpreter):
    """Runs a graph and notes a fact about every node."""

    def __init__(self, traced: fx.GraphModule, counter: FlopCounterMode) -> None:
        super().__init__(traced)
        self.counter = counter
        self.facts: dict[fx.Node, Fact] = {}
        self.tensors: dict[fx.Node, list[tuple[Tensor, Axes]]] = {}

    def run_node(self, n: fx.Node) -> Any:
        before = self.counter.get_total_flops()
        value = super().run_node(n)
        fact: Fact = {"macs": (self.counter.get_total_flops() - before) // FLOPS_PER_MAC}
        leaves = [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]
        self.tensors[n] = [(leaf, self._channels(n, leaf)) for leaf in leaves]
        if isinstance(value, Tensor):
            axes = self.tensors[n][0][1]
            fact |= {"shape": tuple(value.shape), "dtype": value.dtype, "channels": axes}
        elif not leaves:
            fact |= {"value": value}
        self.facts[n] = fact
        return value

    def _channels(self, node: fx.Node, result: Tensor) -> Axes:
        if node.op == "placeholder":
            return frozenset({1})
        if node.op == "get_attr":
            return UNKNOWN
        sources = [pair for before in node.all_input_nodes for pair in self.tensors[before]]
        return channel_axes(operation(node), result, sources)


@contextmanager
def _slow_attention() -> Iterator[None]:
    """Attention by its plain operations: not all fused ones are in torch's FLOP table."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def _work(traced: fx.GraphModule, nodes: list[fx.Node]) -> Work:
    weights: dict[int, int] = {}
    dense = depthwise = layers = 0
    for node in nodes:
        weights |= {id(p): p.numel() for p in parameters_of(traced, node)}
        if macs := node.meta.get("macs", 0):
            is_depthwise = _is_depthwise(traced, node)
            dense += 0 if is_depthwise else macs
            depthwise += macs if is_depthwise else 0
            layers += 1
    return Work(dense, depthwise, layers, sum(weights.values()))


def _is_depthwise(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node is a convolution with as many groups as channels of its input."""
    if node.op == "call_module":
        groups = getattr(traced.get_submodule(str(node.target)), "groups", 1)
    else:
        given = node.args[GROUPS_ARGUMENT:] or (node.kwargs.get("groups", 1),)
        groups = given[0] if "conv" in str(node.target) else 1
    if not isinstance(groups, int) or groups == 1:
        return False
    channels: int = node.all_input_nodes[0].meta["shape"][1]
    return groups == channels
