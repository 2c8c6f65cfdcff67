"""Questions about one node of a traced graph."""

from __future__ import annotations

from torch import fx


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
