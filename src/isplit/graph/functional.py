"""A graph that overwrites nothing: in-place operations replaced, what nobody needs removed."""

import copy
import inspect
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

from isplit.graph.nodes import input_dependent, positions

AUGMENTED = ("add", "sub", "mul", "truediv", "floordiv", "matmul", "pow")
OUT_OF_PLACE: dict[Callable[..., Any], Callable[..., Any]] = {
    getattr(operator, f"i{name}"): getattr(operator, name) for name in AUGMENTED
}


class AugmentedProxy(fx.Proxy):
    """Records ``x += y`` as what it is; fx takes it for ``x = x + y``."""


def _recorder(operation: Callable[..., Any]) -> Callable[[fx.Proxy, Any], fx.Proxy]:
    def record(self: fx.Proxy, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operation, (self, other), {})

    return record


for _name in AUGMENTED:
    setattr(AugmentedProxy, f"__i{_name}__", _recorder(getattr(operator, f"i{_name}")))


def make_out_of_place(traced: fx.GraphModule) -> list[str]:
    """Replaces every in-place operation, so that the value of each node stays what it was.

    Who reads a tensor *after* it was overwritten reads the new value from now on, as before; who
    reads a view of it does not. Modules with an ``inplace`` flag are replaced by copies: those of
    the model stay as they are. The names of what was replaced come back.
    """
    replaced = []
    modules = _switch_off_modules(traced)
    for node in list(traced.graph.nodes):
        was_in_place = node.op == "call_module" and node.target in modules
        if node.op in ("call_function", "call_method"):
            was_in_place = _switch_off(node)
        node.meta["overwrites"] = node.meta.get("overwrites") and not was_in_place
        if was_in_place and "shape" in node.meta:  # integers are not overwritten by `n += 1`
            replaced.append(str(node.target) if node.op == "call_module" else node.name)
            _redirect_later_uses(node)
    return replaced


def remove_dead(graph: fx.Graph) -> None:
    """Erases nodes nobody needs, except those that change a tensor they are given.

    Assertions about sizes go too. A helper that only mutates its argument has no user and looks
    dead: dropping it would be silently wrong.
    """
    for node in reversed(list(graph.nodes)):
        is_end = node.op in ("placeholder", "output")
        if not node.users and not is_end and not node.meta.get("overwrites"):
            graph.erase_node(node)


def move_constants(graph: fx.Graph) -> None:
    """Puts what does not depend on the input right before its first use, whose side pays for it."""
    dependent, place = set(input_dependent(graph)), positions(graph)
    first_use = dict(place)
    for node in reversed(place):
        if node.users and node not in dependent:
            first_use[node] = min(first_use[user] for user in node.users)
    *others, output = sorted(place, key=lambda node: (first_use[node], place[node]))
    for node in others:
        output.prepend(node)


def _switch_off_modules(traced: fx.GraphModule) -> set[str]:
    """Puts out-of-place copies in the place of in-place modules; their paths."""
    paths = {str(node.target) for node in traced.graph.nodes if node.op == "call_module"}
    in_place = {p for p in paths if getattr(traced.get_submodule(p), "inplace", False)}
    for path in in_place:
        plain = copy.copy(traced.get_submodule(path))
        plain.inplace = False  # type: ignore[assignment]
        traced.set_submodule(path, plain)
    return in_place


def _switch_off(node: fx.Node) -> bool:
    """Puts its out-of-place twin in the place of a function or method; whether it was in place."""
    is_method, target = node.op == "call_method", node.target
    name = str(target) if is_method else getattr(target, "__name__", "")
    plain = name.removesuffix("_")
    twin = OUT_OF_PLACE.get(target) if callable(target) else None
    if twin is None and plain != name:
        rooms = (Tensor,) if is_method else (torch, torch.nn.functional)
        twin = next((found for room in rooms if (found := getattr(room, plain, None))), None)
    if twin is not None:
        node.target = plain if is_method else twin
        return True
    return callable(target) and _switch_off_argument(node, target)


def _switch_off_argument(node: fx.Node, function: Callable[..., Any]) -> bool:
    """Sets ``inplace=False`` where it was given as true, by name or by place."""
    try:
        bound = inspect.signature(function).bind(*node.args, **node.kwargs)
    except (ValueError, TypeError):  # builtins have no signature, and no such argument
        return False
    if not bound.arguments.get("inplace", False):
        return False
    bound.arguments["inplace"] = False
    node.args, node.kwargs = bound.args, bound.kwargs
    return True


def _redirect_later_uses(node: fx.Node) -> None:
    """Lets who read the overwritten tensor after ``node`` read the result of ``node``."""
    overwritten = node.all_input_nodes[0]
    order = {other: place for place, other in enumerate(node.graph.nodes)}
    for user in [user for user in overwritten.users if order[user] > order[node]]:
        user.replace_input_with(overwritten, node)
