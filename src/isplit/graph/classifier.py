"""The classifier of a net: the layer whose output reaches the answer last."""

from torch import fx, nn

from isplit.graph.nodes import home, operation
from isplit.graph.tracing import symbolic

KINDS = ("linear", "conv1d", "conv2d", "conv3d")


def classifier_of(model: nn.Module, named: str | None = None) -> str:
    """Path of the layer that gives the logits, a convolution as well as a linear one.

    Args:
        named: its path where the user gave it (``model.head``).

    Raises:
        ValueError: there is no such module, or the graph shows none, or several side by side.
    """
    layers = [path for path, m in model.named_modules() if type(m).__name__.lower() in KINDS]
    if named is not None:
        if named not in dict(model.named_modules()) or not named:
            raise ValueError(f"model.head={named!r} is none of: {', '.join(layers)}")
        return named
    try:
        graph = symbolic(model).graph
    except Exception as error:  # whatever a user's forward raises on symbols
        raise ValueError(f"the classifier cannot be found ({error}): {_ask(layers)}") from error
    last = _last_layers(next(reversed(graph.nodes)))
    if len(last) != 1 or "" in last:
        raise ValueError(f"{len(last)} layers give the answer side by side: {_ask(layers)}")
    return last.pop()


def _last_layers(answer: fx.Node) -> set[str]:
    """Paths of the layers behind which no other comes on a way to the answer."""
    found: set[str] = set()
    waiting, seen = [answer], {answer}
    while waiting:
        node = waiting.pop()
        if operation(node) in KINDS:
            found.add(str(node.target) if node.op == "call_module" else home(node))
            continue
        new = [n for n in node.all_input_nodes if n not in seen]
        waiting += new
        seen.update(new)
    return found


def _ask(layers: list[str]) -> str:
    return f"say which is the classifier by model.head={' | '.join(layers[::-1])}"
