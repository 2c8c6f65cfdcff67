"""Where exactly one tensor crosses: the clean cuts of a graph, found in one sweep."""

from __future__ import annotations

from collections.abc import Set

from torch import fx


def clean_cuts(graph: fx.Graph, without: Set[fx.Node] = frozenset()) -> list[fx.Node]:
    """Nodes that every path from the input to the output runs through, in program order.

    A node v is one exactly when no edge (u, w) has pos(u) < pos(v) < pos(w), so one sweep with a
    running maximum of last uses finds them all. The first is the input itself.

    Args:
        graph: without dead code: every node is needed for the output.
        without: nodes to look through as if they were not there (sizes, for instance).
    """
    position = positions(graph)
    cuts, reach = [], -1
    for node in input_dependent(graph):
        if node in without:
            continue
        if reach <= position[node]:
            cuts.append(node)
        reach = max([reach, *(position[user] for user in node.users if user not in without)])
    return cuts


def input_dependent(graph: fx.Graph) -> list[fx.Node]:
    """Nodes whose value depends on the input, in program order, the output node left out."""
    dependent: dict[fx.Node, None] = {}
    for node in graph.nodes:
        if node.op == "placeholder" or any(a in dependent for a in node.all_input_nodes):
            dependent[node] = None
    return [node for node in dependent if node.op != "output"]


def positions(graph: fx.Graph) -> dict[fx.Node, int]:
    """Place of every node in program order."""
    return {node: place for place, node in enumerate(graph.nodes)}
