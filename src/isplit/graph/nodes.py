"""Questions about one node of a traced graph."""

from __future__ import annotations

from collections import deque

from torch import fx

CHANNELS_FIRST = ("conv", "batchnorm", "batch_norm", "pool")
CHANNELS_LAST = ("linear", "layernorm", "layer_norm")
REORDERING = ("permute", "transpose", "movedim")
MAP_DIMENSIONS = 3


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


def is_channels_last(node: fx.Node) -> bool:
    """Whether a map lies as (H, W, C), as Swin's do, not as (C, H, W).

    It does when the nearest layer that takes or gives a tensor of this shape is one that works on
    the last dimension: a linear layer or LayerNorm.
    """
    if len(image_shape(node)) != MAP_DIMENSIONS:
        return False
    shape = node.meta["shape"]
    queue, seen = deque([node]), {node}
    while queue:
        near = queue.popleft()
        if shape in (near.meta.get("shape"), *(a.meta.get("shape") for a in near.all_input_nodes)):
            name = "" if near.op == "placeholder" else operation(near)
            if any(word in name for word in (*CHANNELS_FIRST, *CHANNELS_LAST)):
                return any(word in name for word in CHANNELS_LAST)
        if near.meta.get("shape") == shape:
            new = [n for n in _same_layout(near) if n not in seen]
            queue.extend(new)
            seen.update(new)
    return False


def _same_layout(node: fx.Node) -> list[fx.Node]:
    """Nodes beside a node, unless its dimensions change places between the two."""
    before = [] if operation(node) in REORDERING else node.all_input_nodes
    return [n for n in (*before, *node.users) if n in before or operation(n) not in REORDERING]
