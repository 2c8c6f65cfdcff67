"""Cut a graph at split points: in two for device and server, or into the stretches between many."""

from collections.abc import Iterable, Sequence

from torch import fx, nn

from isplit.graph.nodes import input_dependent, positions
from isplit.graph.tracing import mirror_modes
from isplit.point import SplitPoint


def split_at(traced: fx.GraphModule, point: SplitPoint) -> tuple[nn.Module, nn.Module]:
    """(head, tail) such that ``tail(head(x))`` is ``traced(x)`` bit for bit.

    Both share parameters, modules and modes with ``traced``; the head gives the features, the tail
    takes them.

    Raises:
        ValueError: the point is not of this graph.
    """
    head, tail = stretches(traced, [point])
    return head, tail


def stretches(traced: fx.GraphModule, points: Sequence[SplitPoint]) -> list[nn.Module]:
    """The model from the input to the first point, between neighbours, from the last to the answer.

    One after the other they are ``traced``, bit for bit; they share its parameters, modules, modes.

    Args:
        points: in their order from the input on.

    Raises:
        ValueError: a point is not of this graph.
    """
    place = positions(traced.graph)
    cuts = [_node_of(traced, point) for point in points]
    dependent = input_dependent(traced.graph)
    answer = traced.graph.output_node().args[0]
    edges = [-1, *(place[cut] for cut in cuts), len(place)]
    return [
        _piece(traced, (n for n in dependent if begin < place[n] <= end), result, source)
        for begin, end, source, result in zip(
            edges[:-1], edges[1:], [None, *cuts], [*cuts, answer], strict=True
        )
    ]


def _node_of(traced: fx.GraphModule, point: SplitPoint) -> fx.Node:
    node: fx.Node | None = next(
        (node for node in traced.graph.nodes if node.name == point.node), None
    )
    if node is None:
        name = type(traced).__name__
        raise ValueError(f"split point {point.name!r} (node {point.node!r}) is not in {name}")
    return node


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
