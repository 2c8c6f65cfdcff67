"""Weights from a file of the user's own, read without running anything in it."""

from __future__ import annotations

import logging
import pickle
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

SUFFIXES = (".safetensors", ".ckpt", ".pth", ".pt")
CONTAINERS = ("state_dict", "model_state_dict", "model")
"""Where training scripts keep the weights among other things (Lightning: the first)."""
TRAINING_ONLY = ("aux1.", "aux2.", "AuxLogits.")
"""Auxiliary classifiers of GoogLeNet and Inception: published with the weights, of no use here."""
OPTIONAL = "num_batches_tracked"
SHOWN_KEYS = 3

log = logging.getLogger(__name__)

State = dict[str, Tensor]


def read_state(path: Path, wanted: Collection[str]) -> State:
    """Tensors of a weights file by the model's own names.

    The prefix under which a training script kept its model (``model.``, ``net.``, ``module.``) is
    the one that uncovers most of the ``wanted`` names; tensors without it (a loss's, a metric's)
    are left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be read, or holds something else than tensors.
    """
    if not path.is_file():
        raise FileNotFoundError(f"model.weights={str(path)!r} is not there")
    state = _load(path)
    prefix = _prefix(state, wanted)
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix) and isinstance(tensor, Tensor)
    }


def load_state(model: nn.Module, state: State, path: Path, head: str) -> None:
    """Copies the tensors into the model; the last layer stays new where it has other classes.

    Args:
        model: built for the data set's classes.
        state: from :func:`read_state`.
        path: where it came from, for messages.
        head: path of the last layer.

    Raises:
        ValueError: the weights are of another architecture.
    """
    own = {k: v for k, v in model.state_dict().items() if not k.endswith(OPTIONAL) or k in state}
    state = {k: v for k, v in state.items() if not k.startswith(TRAINING_ONLY)}
    new = _new_head(own, state, head)
    if new:
        theirs, ours = (len(tensors[f"{head}.weight"]) for tensors in (state, own))
        log.info("%s has %d classes, the data %d: new last layer %s", path, theirs, ours, head)
    wanted = {k: v.shape for k, v in own.items() if k not in new}
    found = {k: v.shape for k, v in state.items() if k not in new}
    problems = {
        "missing": [k for k in wanted if k not in found],
        "unexpected": [k for k in found if k not in wanted],
        "of another shape": [k for k in wanted if k in found and wanted[k] != found[k]],
    }
    if any(problems.values()):
        raise ValueError(
            f"model.weights={str(path)!r} is not of this {type(model).__name__}: "
            + "; ".join(_listed(kind, keys) for kind, keys in problems.items() if keys)
        )
    model.load_state_dict({k: v for k, v in state.items() if k not in new}, strict=False)


def _load(path: Path) -> dict[str, Any]:
    """What the file holds under names, unwrapped from its container."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"model.weights={str(path)!r} cannot be read safely: {_reason(error)}; "
            "save model.state_dict() alone"
        ) from error
    for key in CONTAINERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not any(isinstance(v, Tensor) for v in content.values()):
        raise ValueError(f"model.weights={str(path)!r} holds no named tensors")
    return content


def _reason(error: Exception) -> str:
    """What is wrong with the file; of objects that could run code, the first one's type."""
    if found := re.search(r"GLOBAL (\S+)", str(error)):
        return f"besides tensors it holds a {found[1]}"
    return next(iter(str(error).splitlines()), type(error).__name__)


def _prefix(state: dict[str, Any], wanted: Collection[str]) -> str:
    """What stands before most of the wanted names; the shortest of equal ones."""
    known = set(wanted)
    counts: dict[str, int] = {"": 0}
    for name in state:
        parts = name.split(".")
        for depth in range(len(parts)):
            if ".".join(parts[depth:]) in known:
                prefix = "".join(f"{part}." for part in parts[:depth])
                counts[prefix] = counts.get(prefix, 0) + 1
    return max(counts, key=lambda prefix: (counts[prefix], -len(prefix)))


def _new_head(own: State, state: State, head: str) -> set[str]:
    """Names of the last layer's tensors where they differ in the number of classes only."""
    weight = f"{head}.weight"
    if weight not in state or state[weight].shape[1:] != own[weight].shape[1:]:
        return set()
    same = len(state[weight]) == len(own[weight])
    return set() if same else {weight, f"{head}.bias"}


def _listed(kind: str, keys: list[str]) -> str:
    more = f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
    return f"{len(keys)} tensors {kind} ({', '.join(keys[:SHOWN_KEYS])}{more})"
