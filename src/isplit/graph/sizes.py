"""Sizes taken from one tensor and used far behind it: they must not cross a cut.

A forward that says ``x.view(x.shape[0], -1)`` at its end sends the *size* of its input past every
layer. Frozen to a constant it crosses nothing, but the constant fixes the size; so a size that
follows the batch is read again from the last cut before its use, and only the others are frozen.
"""

import operator
from typing import Any

import torch
from torch import Tensor, fx

from isplit.graph.measure import Fact, measure
from isplit.graph.nodes import clean_cuts, input_dependent, positions

Facts = dict[fx.Node, Fact]


def localise_sizes(traced: fx.GraphModule, example: Tensor) -> bool:
    """Rewrites uses of sizes that cross a cut, so that they no longer do; whether there were any.

    Only those: a model that takes sizes where it uses them keeps running on any image size. Sizes
    that follow the batch in another way than proportionally stay, and so does the cut they spoil.
    """
    facts = {node: node.meta for node in traced.graph.nodes}
    sizes = {n for n in input_dependent(traced.graph) if "value" in facts[n]}
    crossings = _crossings(traced.graph, sizes)
    if not crossings:
        return False
    doubled = measure(traced, example, batch_size=2)
    for size, user, cut in crossings:
        if (local := _local_value(facts, doubled, size, cut, user)) is not None:
            _replace(user, size, local)
    return True


def _crossings(graph: fx.Graph, sizes: set[fx.Node]) -> list[tuple[fx.Node, fx.Node, fx.Node]]:
    """(size, its user, the last cut between the tensor it was taken from and the user)."""
    position = positions(graph)
    cuts = clean_cuts(graph, without=sizes)
    found = []
    for size in sizes:
        origin = min(position[tensor] for tensor in _origins(size, sizes))
        for user in size.users:
            last = max((c for c in cuts if position[c] < position[user]), key=position.__getitem__)
            if user not in sizes and position[last] > origin:
                found.append((size, user, last))
    return found


def _replace(user: fx.Node, size: fx.Node, value: Any) -> None:
    """Puts ``value`` where ``user`` takes ``size``."""

    def new(node: fx.Node) -> Any:
        return value if node is size else node

    user.args, user.kwargs = fx.map_arg((user.args, user.kwargs), new)


def _origins(size: fx.Node, sizes: set[fx.Node]) -> set[fx.Node]:
    """Tensors a size was taken from."""
    found: set[fx.Node] = set()
    for source in size.all_input_nodes:
        found |= _origins(source, sizes) if source in sizes else {source}
    return found


def _local_value(facts: Facts, doubled: Facts, size: fx.Node, cut: fx.Node, user: fx.Node) -> Any:
    """The size as a constant or read from ``cut``; ``None`` where neither is possible."""
    one, two = facts[size]["value"], doubled[size]["value"]
    if isinstance(one, torch.device):
        with user.graph.inserting_before(user):
            return user.graph.call_function(getattr, (cut, "device"))
    rows = facts[cut]["shape"][0]
    if rows == 0 or doubled[cut]["shape"][0] != 2 * rows:
        return one if one == two else None
    if isinstance(one, int):
        return _local_int(one, two, rows, cut, user)
    if isinstance(one, tuple) and all(isinstance(item, int) for item in one):
        items = [_local_int(a, b, rows, cut, user) for a, b in zip(one, two, strict=True)]
        return None if None in items else tuple(items)
    return one if one == two else None


def _local_int(one: int, two: int, rows: int, cut: fx.Node, user: fx.Node) -> Any:
    """``one`` if it does not follow the batch, its part of ``cut.size(0)`` if proportional."""
    if one == two:
        return one
    if two != 2 * one:
        return None
    graph = user.graph
    with graph.inserting_before(user):
        batch = graph.call_method("size", (cut, 0))
        if one == rows:
            return batch
        return graph.call_function(
            operator.floordiv, (graph.call_function(operator.mul, (batch, one)), rows)
        )
