"""What every node of a graph gives and costs, and how much work a net and its two sides are.

Of a node: shape, channels, sizes and multiply-accumulates.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx
from torch._subclasses import fake_tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from isplit.graph.flops import FLOPS_PER_MAC, flop_counter
from isplit.graph.nodes import UNKNOWN, Axes, channel_axes, operation, parameters_of
from isplit.point import SplitPoint, Work

Fact = dict[str, Any]
"""``macs``; whether it ``overwrites`` a tensor that it is given; ``shape``, ``dtype`` and
``channels`` of a tensor, ``value`` of what holds none."""
GROUPS_ARGUMENT = 6
"""Place of ``groups`` among the arguments of ``torch.nn.functional.conv2d``."""


def measure(traced: fx.GraphModule, example: Tensor, batch_size: int) -> dict[fx.Node, Fact]:
    """What each node gives for ``batch_size`` images shaped as those of ``example``, and its MACs.

    Nothing is computed: fake tensors carry shapes through the graph, whatever its size. MACs are
    those of convolutions, linear layers and matrix products (half of torch's FLOP count).
    """
    with _slow_attention(), shapes_alone(), flop_counter() as counter:
        shape = (batch_size, *example.shape[1:])
        images = torch.empty(shape, dtype=example.dtype, device=example.device)
        recorder = _Recorder(traced, counter)
        recorder.run(images)
    return recorder.facts


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Tensors made in it have no values, and torch logs no traceback of what it then raises."""
    log = logging.getLogger(fake_tensor.__name__)
    before, log.disabled = log.disabled, True
    try:
        with torch.no_grad(), fake_tensor.FakeTensorMode(allow_non_fake_inputs=True):
            yield
    finally:
        log.disabled = before


def total_work(traced: fx.GraphModule) -> Work:
    """The work of one image in a whole net from :func:`isplit.graph.trace`."""
    return _sum(_costs(traced))


def split_work(traced: fx.GraphModule, points: Iterable[SplitPoint]) -> list[tuple[Work, Work]]:
    """The work of head and tail for each split point; parameters used by both count in both."""
    return work_at(traced, [point.node for point in points])


def work_at(traced: fx.GraphModule, cuts: Iterable[str]) -> list[tuple[Work, Work]]:
    """The same by the names of the nodes whose output crosses."""
    costs = _costs(traced)
    ends = {node.name: end for end, node in enumerate(traced.graph.nodes, start=1)}
    return [(_sum(costs[: ends[cut]]), _sum(costs[ends[cut] :])) for cut in cuts]


class _Recorder(fx.Interpreter):
    """Runs a graph and notes a fact about every node."""

    def __init__(self, traced: fx.GraphModule, counter: FlopCounterMode) -> None:
        super().__init__(traced)
        self.counter = counter
        self.facts: dict[fx.Node, Fact] = {}
        self.tensors: dict[fx.Node, list[tuple[Tensor, Axes]]] = {}

    def run_node(self, n: fx.Node) -> Any:
        before = self.counter.get_total_flops()
        given = [tensor for source in n.all_input_nodes for tensor, _ in self.tensors[source]]
        versions = _versions(given)
        value = super().run_node(n)
        fact: Fact = {"macs": (self.counter.get_total_flops() - before) // FLOPS_PER_MAC}
        fact |= {"overwrites": _versions(given) != versions}
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


def _versions(tensors: Iterable[Tensor]) -> list[int]:
    """How often each was changed in place."""
    return [0 if tensor.is_inference() else tensor._version for tensor in tensors]


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


def _costs(traced: fx.GraphModule) -> list[tuple[int, int, dict[int, int]]]:
    """Of each node the dense and depthwise MACs, and how many numbers each parameter has."""
    costs = []
    for node in traced.graph.nodes:
        macs, weights = node.meta.get("macs", 0), parameters_of(traced, node)
        depthwise = macs if macs and _is_depthwise(traced, node) else 0
        costs.append((macs - depthwise, depthwise, {id(p): p.numel() for p in weights}))
    return costs


def _sum(costs: Sequence[tuple[int, int, dict[int, int]]]) -> Work:
    weights: dict[int, int] = {}
    for _, _, own in costs:
        weights |= own
    dense, depthwise = (sum(macs) for macs in zip(*(cost[:2] for cost in costs), strict=True))
    return Work(dense, depthwise, sum(a + b > 0 for a, b, _ in costs), sum(weights.values()))


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
