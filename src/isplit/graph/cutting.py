"""Cut a graph at a split point into the part for the device and the part for the server."""

from __future__ import annotations

from collections.abc import Iterable

from torch import fx, nn

from isplit.graph.cuts import input_dependent, positions
from isplit.graph.tracing import mirror_modes
from isplit.types import SplitPoint


def split_at(traced: fx.GraphModule, point: SplitPoint) -> tuple[nn.Module, nn.Module]:
    """(head, tail) such that ``tail(head(x))`` is ``traced(x)`` bit for bit.

    Both share parameters, modules and modes with ``traced``; the head gives the features, the tail
    takes them.

    Raises:
        ValueError: the point is not of this graph.
    """
    place = positions(traced.graph)
    cut = next((node for node in place if node.name == point.node), None)
    if cut is None:
        name = type(traced).__name__
        raise ValueError(f"split point {point.name!r} (node {point.node!r}) is not in {name}")
    dependent = input_dependent(traced.graph)
    head = [node for node in dependent if place[node] <= place[cut]]
    tail = [node for node in dependent if place[node] > place[cut]]
    output = next(node for node in reversed(traced.graph.nodes))
    return _piece(traced, head, cut, None), _piece(traced, tail, output.args[0], cut)


def _piece(
    traced: fx.GraphModule,
    nodes: Iterable[fx.Node],
    result: fx.node.Argument,
    source: fx.Node | None,
) -> fx.GraphModule:
    """Graph of ``nodes`` and the constants they need; ``source`` becomes its input."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    if source is not None:
        copies[source] = graph.placeholder("features")

    def copied(node: fx.Node) -> fx.Node:
        if node not in copies:
            copies[node] = graph.node_copy(node, copied)
        return copies[node]

    for node in nodes:
        copied(node)
    graph.output(fx.map_arg(result, copied))
    piece = fx.GraphModule(traced, graph, class_name=type(traced).__name__)
    mirror_modes(piece, traced)
    return piece
