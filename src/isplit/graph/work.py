"""How much work a whole net is, and the head and the tail of every split point."""

import math
from collections.abc import Iterable

from torch import fx

from isplit.graph.nodes import parameters_of
from isplit.point import FLOAT32_BYTES, SplitPoint, Work

GROUPS_ARGUMENT = 6
"""Place of ``groups`` among the arguments of ``torch.nn.functional.conv2d``."""


def total_work(traced: fx.GraphModule) -> Work:
    """The work of one image in a whole net from :func:`isplit.graph.trace`."""
    return _work(traced, list(traced.graph.nodes))


def split_work(traced: fx.GraphModule, points: Iterable[SplitPoint]) -> list[tuple[Work, Work]]:
    """The work of head and tail for each split point; parameters used by both count in both."""
    nodes = list(traced.graph.nodes)
    ends = {node.name: end for end, node in enumerate(nodes, start=1)}
    cuts = [ends[point.node] for point in points]
    return [(_work(traced, nodes[:end]), _work(traced, nodes[end:])) for end in cuts]


def _work(traced: fx.GraphModule, nodes: list[fx.Node]) -> Work:
    weights: dict[int, int] = {}
    dense = depthwise = layers = moved = 0
    for node in nodes:
        own = {id(p): p.numel() for p in parameters_of(traced, node)}
        weights |= own
        if macs := node.meta.get("macs", 0):
            is_depthwise = _is_depthwise(traced, node)
            dense += 0 if is_depthwise else macs
            depthwise += macs if is_depthwise else 0
            layers += 1
            tensors = [n for n in (node, *node.all_input_nodes) if "shape" in n.meta]
            held = sum(own.values()) if node.op == "call_module" else 0
            moved += held + sum(math.prod(n.meta["shape"]) for n in tensors)
    return Work(dense, depthwise, layers, moved * FLOAT32_BYTES, sum(weights.values()))


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
