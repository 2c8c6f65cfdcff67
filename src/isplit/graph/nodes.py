"""Questions about the nodes of a traced graph: where one tensor crosses, where its channels are.

Channels are followed from operation to operation: a convolution puts them in dimension 1, a linear
layer in the last one. What moves data takes them along; where an operation says nothing about them
they are unknown.
"""

import math
from collections.abc import Iterable, Sequence, Set

from torch import Tensor, fx, nn

PUT_FIRST = (
    *("conv", "pool", "batchnorm", "batch_norm", "groupnorm", "group_norm"),
    *("instancenorm", "instance_norm", "pixelshuffle", "pixel_shuffle", "pixel_unshuffle"),
)
PUT_LAST = ("linear", "embedding", "multiheadattention")
REGROUP = ("reshape", "view", "flatten", "unflatten")
KEEP_PLACES = (
    *("cat", "concat", "interpolate", "upsample", "repeat", "getitem", "index_select"),
    *("mean", "sum", "amax", "max", "amin", "min", "std", "var", "norm"),
)
Axes = frozenset[int]
"""Dimensions, the batch counted, that hold channels; none: not known."""
UNKNOWN: Axes = frozenset()


def operation(node: fx.Node) -> str:
    """What a node does, in lower case: name of its function, its method or its module's type."""
    if node.op == "call_module":
        module = node.graph.owning_module
        assert module is not None
        return type(module.get_submodule(str(node.target))).__name__.lower()
    if callable(node.target):
        return getattr(node.target, "__name__", node.name).lower()
    return str(node.target).lower()


def home(node: fx.Node) -> str:
    """Path of the module whose forward calls a node."""
    scope: str = node.meta["scope"]
    return scope.rpartition(".")[0] if node.op == "call_module" else scope


def is_within(path: str, parent: str) -> bool:
    """Whether a module path is the parent's or below it.

    >>> is_within("layer1.0.relu", "layer1.0"), is_within("layer10", "layer1"), is_within("fc", "")
    (True, False, True)
    """
    return parent == "" or f"{path}.".startswith(f"{parent}.")


def image_shape(node: fx.Node) -> tuple[int, ...]:
    """Shape for one image: without the batch dimension, where the first one is it.

    Attention windows lie in the first dimension together with the batch; they stay.
    """
    shape: tuple[int, ...] = node.meta["shape"]
    return shape[1:] if shape[:1] == (1,) else shape


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


def parameters_of(traced: fx.GraphModule, node: fx.Node) -> list[nn.Parameter]:
    """Parameters a node uses by itself."""
    if node.op == "call_module":
        return list(traced.get_submodule(str(node.target)).parameters())
    if node.op == "get_attr":
        owner, _, field = str(node.target).rpartition(".")
        value = getattr(traced.get_submodule(owner), field)
        return [value] if isinstance(value, nn.Parameter) else []
    return []


def channel_axes(name: str, result: Tensor, sources: Iterable[tuple[Tensor, Axes]]) -> Axes:
    """Dimensions of ``result`` that hold channels.

    Args:
        name: of the operation, in lower case.
        result: of the operation.
        sources: tensors it was made from, with theirs.
    """
    if any(word in name for word in PUT_FIRST):
        return frozenset({1})
    if any(word in name for word in PUT_LAST):
        return frozenset({result.dim() - 1})
    answers = {_followed(name, source, axes, result) for source, axes in sources}
    answers.discard(UNKNOWN)
    return answers.pop() if len(answers) == 1 else UNKNOWN


def layout_of(axes: Axes, dimensions: int) -> bool | None:
    """Whether channels are the last of several dimensions of an image's features, or the first.

    ``None``: neither, or not known. ``dimensions`` counts the batch.
    """
    if dimensions <= 2:  # a vector: its one dimension is the first and the last
        return False
    return {frozenset({1}): False, frozenset({dimensions - 1}): True}.get(axes)


def _followed(name: str, source: Tensor, axes: Axes, result: Tensor) -> Axes:
    """Where the channels of one source are in the result."""
    if name in REGROUP:
        return _regrouped(source.shape, axes, result.shape)
    if source.untyped_storage()._cdata == result.untyped_storage()._cdata:  # a view: strides tell
        if source.shape == result.shape and source.stride() == result.stride():
            return axes
        steps = {source.stride(i) for i in axes if source.size(i) > 1}
        places = enumerate(zip(result.shape, result.stride(), strict=True))
        return frozenset(i for i, (size, step) in places if size > 1 and step in steps)
    if source.dim() != result.dim():
        return UNKNOWN
    broadcast = all(a in (1, b) for a, b in zip(source.shape, result.shape, strict=True))
    return axes if broadcast or name in KEEP_PLACES or "pad" in name else UNKNOWN


def _regrouped(before: Sequence[int], axes: Axes, after: Sequence[int]) -> Axes:
    """The same elements in other dimensions; unknown where channels are mixed with others.

    >>> sorted(_regrouped((1, 8, 4, 4), frozenset({1}), (1, 2, 4, 16)))
    [1, 2]
    >>> _regrouped((1, 8, 4, 4), frozenset({1}), (1, 128))
    frozenset()
    """
    if math.prod(before) != math.prod(after):
        return UNKNOWN
    old, new = ([i for i, size in enumerate(s) if size != 1] for s in (before, after))
    found: set[int] = set()
    while old and new:
        left, right = [old.pop(0)], [new.pop(0)]
        while (a := _elements(before, left)) != (b := _elements(after, right)):
            (left, right)[a > b].append((old, new)[a > b].pop(0))
        if axes.issuperset(left):
            found.update(right)
        elif not axes.isdisjoint(left):
            return UNKNOWN
    return frozenset(found)


def _elements(shape: Sequence[int], axes: Iterable[int]) -> int:
    return math.prod(shape[axis] for axis in axes)
