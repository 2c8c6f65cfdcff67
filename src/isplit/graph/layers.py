"""Layers by name: what the papers call those of VGG, and which one gives a net's answer."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import fx, nn
from torchvision.models.vgg import cfgs as plans

from isplit.graph.flops import multiplies
from isplit.graph.nodes import home, operation, parameters_of
from isplit.graph.tracing import symbolic
from isplit.point import SplitPoint

PLANS = {"vgg11": plans["A"], "vgg13": plans["B"], "vgg16": plans["D"], "vgg19": plans["E"]}
KINDS = ("linear", "conv1d", "conv2d", "conv3d")
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)  # parametrized ones too


def with_aliases(architecture: str, points: Sequence[SplitPoint]) -> list[SplitPoint]:
    """The points of a VGG with the papers' names as aliases; those of another model as they are."""
    plan = PLANS.get(architecture.removesuffix("_bn"))
    if plan is None or not points:
        return list(points)
    tables = [dict(_vgg_layers(plan, batch_norm)) for batch_norm in (False, True)]
    names = {point.name for point in points}
    aliases = max(tables, key=lambda table: (len(names & set(table)), max(table) in names))
    return [
        replace(p, aliases=(aliases[p.name], *p.aliases)) if p.name in aliases else p
        for p in points
    ]


def classifier_of(model: nn.Module, named: str | None = None) -> str:
    """Path of the layer that gives the logits, a convolution as well as a linear one.

    Args:
        named: its path where the user gave it (``model.head``).

    Raises:
        ValueError: there is no such module, or the graph shows none, or several side by side.
    """
    layers = [path for path, m in model.named_modules() if isinstance(m, LAYERS)]
    if named is not None:
        if named not in dict(model.named_modules()) or not named:
            raise ValueError(f"model.head={named!r} is none of: {', '.join(layers)}")
        return named
    try:
        traced = symbolic(model)
    except Exception as error:  # whatever a user's forward raises on symbols
        raise ValueError(f"the classifier cannot be found ({error}): {_ask(layers)}") from error
    last = _last_layers(traced)
    if len(last) != 1 or "" in last:
        raise ValueError(f"{len(last)} layers give the answer side by side: {_ask(layers)}")
    return last.pop()


def _vgg_layers(plan: Sequence[int | str], batch_norm: bool) -> Iterator[tuple[str, str]]:
    """(path of the layer's last module, paper's name); a convolution ends with its ReLU.

    >>> list(_vgg_layers([64, "M", 128], batch_norm=False))
    [('features.1', 'block1_conv1'), ('features.2', 'block1_pool'), ('features.4', 'block2_conv1')]
    """
    block, conv, last = 1, 0, -1
    for width in plan:
        if width == "M":
            last += 1
            yield f"features.{last}", f"block{block}_pool"
            block, conv = block + 1, 0
        else:
            conv, last = conv + 1, last + (3 if batch_norm else 2)
            yield f"features.{last}", f"block{block}_conv{conv}"


def _last_layers(traced: fx.GraphModule) -> set[str]:
    """Paths of the layers behind which no other comes on a way to the answer.

    What else computes with a matrix of weights counts as one, by the module that has it.
    """
    found: set[str] = set()
    answer = traced.graph.output_node()
    waiting, seen = [answer], {answer}
    while waiting:
        node = waiting.pop()
        path = str(node.target)
        if node.op == "call_module" and (
            isinstance(traced.get_submodule(path), LAYERS) or multiplies(traced, node)
        ):
            found.add(path)
            continue
        if node.op != "call_module" and operation(node) in KINDS:
            found.add(home(node))
            continue
        if node.op == "get_attr" and any(p.dim() > 1 for p in parameters_of(traced, node)):
            found.add(path.rpartition(".")[0])
        new = [n for n in node.all_input_nodes if n not in seen]
        waiting += new
        seen.update(new)
    return found


def _ask(layers: list[str]) -> str:
    return f"say which is the classifier by model.head={' | '.join(layers[::-1])}"
