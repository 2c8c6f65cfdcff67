"""What every node of a graph gives and costs: shape, channels, sizes and multiply-accumulates."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from isplit.graph.channels import UNKNOWN, Axes, channel_axes
from isplit.graph.nodes import operation

FLOPS_PER_MAC = 2

Fact = dict[str, Any]
"""``macs``; ``shape``, ``dtype`` and ``channels`` of a tensor, ``value`` of what holds none."""


def measure(traced: fx.GraphModule, example: Tensor, batch_size: int) -> dict[fx.Node, Fact]:
    """What each node gives for ``batch_size`` images shaped as those of ``example``, and its MACs.

    Nothing is computed: fake tensors carry shapes through the graph, whatever its size. MACs are
    those of convolutions, linear layers and matrix products (half of torch's FLOP count).
    """
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with torch.no_grad(), _slow_attention(), fake, FlopCounterMode(display=False) as counter:
        shape = (batch_size, *example.shape[1:])
        images = torch.empty(shape, dtype=example.dtype, device=example.device)
        recorder = _Recorder(traced, counter)
        recorder.run(images)
    return recorder.facts


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
