"""Weights put into a model, whose last layer becomes new where it has other classes."""

import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isplit.graph import classifier_of

State = dict[str, Tensor]
OPTIONAL = "num_batches_tracked"
TRAINING_ONLY = ("aux1.", "aux2.", "AuxLogits.")
"""Auxiliary classifiers of GoogLeNet and Inception: published with the weights, of no use here."""
SHOWN = 3  # tensors in a message

log = logging.getLogger(__name__)


def load_state(model: nn.Module, state: State, path: Path, head: str | None) -> None:
    """Copies the tensors into the model; the last layer stays new where it has other classes.

    Args:
        model: built for the data set's classes.
        state: from :func:`read_state`.
        path: where it came from, for messages.
        head: path of the last layer, where it is not the one that reaches the answer last.

    Raises:
        ValueError: the weights are of another architecture.
    """
    own = {k: v for k, v in model.state_dict().items() if not k.endswith(OPTIONAL) or k in state}
    found = {k: v for k, v in state.items() if k in own or not k.startswith(TRAINING_ONLY)}
    other = [k for k in own if k in found and not fits(own[k], found[k])]
    if other and all(_differ_in_classes(own[k], found[k]) for k in other):
        head = classifier_of(model, head)
        if all(k.rpartition(".")[0] == head for k in other):
            counts = (str(path), len(found[other[0]]), len(own[other[0]]), head)
            log.info("%s has %d classes, the data %d: new last layer %s", *counts)
            own, found = ({k: v for k, v in s.items() if k not in other} for s in (own, found))
            other = []
    missing, unexpected = ([k for k in a if k not in b] for a, b in ((own, found), (found, own)))
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": other}
    problems = [f"{len(k)} tensors {kind} ({some(k, SHOWN)})" for kind, k in kinds.items() if k]
    if problems:
        kind = type(model).__name__
        raise ValueError(
            f"model.weights={str(path)!r} is not of this {kind}: {'; '.join(problems)}"
        )
    model.load_state_dict(found, strict=False)


def renew_head(model: nn.Module, num_classes: int, path: str) -> None:
    """A new last layer at ``path``, unless it has that many classes already.

    Raises:
        ValueError: there is another kind of module.
    """
    old = model.get_submodule(path)
    if not isinstance(old, nn.Linear | nn.Conv2d):
        raise ValueError(f"model.head={path!r} is a {type(old).__name__}, no linear layer")
    if len(old.weight) == num_classes:
        return
    if isinstance(old, nn.Linear):
        new: nn.Module = nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
    else:
        new = nn.Conv2d(old.in_channels, num_classes, kernel_size=1)
    model.set_submodule(path, new)


def keep_outputs(model: nn.Module, chosen: Sequence[int], path: str) -> nn.Module:
    """``model`` with these outputs of its last layer at ``path`` alone, in their order.

    What has a row for each output keeps the rows of these; the layer computes as before.

    Raises:
        ValueError: the layer has no ``weight`` with a row for each output.
    """
    new = copy.deepcopy(model.get_submodule(path))
    weight = getattr(new, "weight", None)
    if not isinstance(weight, Tensor) or len(weight) <= max(chosen):
        raise ValueError(f"model.head={path!r} has no weight with a row for each of its outputs")
    for module in new.modules():
        tables: tuple[Any, ...] = (module._parameters, module._buffers)
        for own in tables:
            for name, tensor in own.items():
                if tensor is not None and tensor.dim() and len(tensor) == len(weight):
                    rows = tensor.detach()[list(chosen)].clone()
                    is_weight = isinstance(tensor, nn.Parameter)
                    own[name] = nn.Parameter(rows, tensor.requires_grad) if is_weight else rows
    for name in ("out_features", "out_channels"):
        if hasattr(new, name):
            setattr(new, name, len(chosen))
    model.set_submodule(path, new)
    return model


def _differ_in_classes(own: Tensor, found: Tensor) -> bool:
    """Whether two tensors are of one layer for different numbers of classes."""
    if own.dim() == 0 or own.dim() != found.dim() or found.layout != torch.strided:
        return False
    return len(own) != len(found) and fits(own[:0], found[:0])


def fits(own: Tensor, found: Tensor) -> bool:
    """Whether a tensor of the file can stand in the place of the model's."""
    dense = found.layout == torch.strided and not found.is_meta
    same_kind = own.is_floating_point() == found.is_floating_point() and not found.is_complex()
    return dense and same_kind and own.shape == found.shape


def equal(one: State, other: State, names: list[str]) -> bool:
    """Whether the tensors of these names are the same in both, up to the width of their type."""
    return all(
        one[k].shape == other[k].shape and torch.equal(one[k].to(other[k].dtype), other[k])
        for k in names
    )


def some(words: Sequence[str], most: int) -> str:
    """The first words, and how many more there are."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
