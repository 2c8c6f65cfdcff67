"""Weights of a file put into a model; the last layer stays new where it has other classes."""

import logging
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from isplit.backbones.weights_file import OPTIONAL, State, fits, some

TRAINING_ONLY = ("aux1.", "aux2.", "AuxLogits.")
"""Auxiliary classifiers of GoogLeNet and Inception: published with the weights, of no use here."""
SHOWN = 3  # tensors in a message

log = logging.getLogger(__name__)


def load_state(
    model: nn.Module, state: State, path: Path, head_of: Callable[[nn.Module], str]
) -> None:
    """Copies the tensors into the model; the last layer stays new where it has other classes.

    Args:
        model: built for the data set's classes.
        state: from :func:`read_state`.
        path: where it came from, for messages.
        head_of: finds the last layer.

    Raises:
        ValueError: the weights are of another architecture.
    """
    own = {k: v for k, v in model.state_dict().items() if not k.endswith(OPTIONAL) or k in state}
    found = {k: v for k, v in state.items() if not k.startswith(TRAINING_ONLY)}
    other = [k for k in own if k in found and not fits(own[k], found[k])]
    if other and all(_differ_in_classes(own[k], found[k]) for k in other):
        head = head_of(model)
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


def _differ_in_classes(own: Tensor, found: Tensor) -> bool:
    """Whether two tensors are of one layer for different numbers of classes."""
    if own.dim() == 0 or own.dim() != found.dim() or found.layout != torch.strided:
        return False
    return len(own) != len(found) and fits(own[:0], found[:0])
