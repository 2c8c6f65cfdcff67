"""Questions about the nodes of a traced graph; where exactly one tensor crosses."""

from collections.abc import Set

from torch import fx, nn


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
