"""The net in a weights file of the user's own, read without running anything in it."""

import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from isplit.backbones.checkpoint import OPTIONAL, State, equal, fits, some

WRAPPERS = ("module", "_orig_mod")
"""What DataParallel and torch.compile put into the names."""
SHOWN = 12  # keys of a file
DEEPEST = 8  # dictionaries in dictionaries
MOST_NETS = 20  # that are told apart


def read_state(path: Path, wanted: Mapping[str, Tensor], key: str | None = None) -> State:
    """Tensors of the net in a weights file, by the model's own names.

    Training scripts keep the net beside other things, under names of their own (``state_dict``,
    ``ema``, ``model.``): it is looked for in the whole file. Where nothing holds all that is wanted
    the nearest comes back, for :func:`load_state` to say what is missing.

    Args:
        wanted: the model's own tensors; the shapes of the last layer may differ.
        key: which of several nets in the file, as a message calls them (``model.weights_key``).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be read, holds no tensors, or several nets to choose from.
    """
    if not path.is_file():
        raise FileNotFoundError(f"model.weights={str(path)!r} is not there")
    content, named = _load(path)
    if not named:
        raise ValueError(
            f"model.weights={str(path)!r} holds no named tensors, but {_listing(content)}"
        )
    names = [name for name in wanted if not name.endswith(OPTIONAL)]
    nets = _nets(named, names)
    if not _whole(nets, names):
        plain = {_unwrapped(name): tensor for name, tensor in named.items()}
        own = {_unwrapped(name): name for name in wanted}
        for place, net in _nets(plain, [_unwrapped(name) for name in names]).items():
            nets[place] = {own.get(name, name): tensor for name, tensor in net.items()}
    if key is not None and key not in nets:
        raise ValueError(
            f"model.weights_key={key!r} is no net of this shape in {str(path)!r}: "
            f"{_places(nets)}; the file holds {_listing(content)}"
        )
    if key is not None or not nets:
        return nets[key] if key is not None else named
    whole = _whole(nets, names)

    def fitting(net: State) -> int:
        return sum(name in wanted and fits(wanted[name], tensor) for name, tensor in net.items())

    first, *others = whole.values() or [max(nets.values(), key=fitting)]
    if not all(equal(first, other, names) for other in others):
        raise ValueError(
            f"model.weights={str(path)!r} holds {len(whole)} nets that fit: choose one by "
            f"model.weights_key={_places(whole)}"
        )
    return first


def _load(path: Path) -> tuple[Any, State]:
    """What the file holds, and the tensors in it; nothing in it is run."""
    try:
        with path.open("rb") as file:
            is_safetensors = file.read(9)[8:] == b"{"
        if is_safetensors:
            state = load_file(path)
            return state, state
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > path.stat().st_size:
                raise ValueError("it is compressed, which torch.save never does")
        content = torch.load(path, map_location="cpu", weights_only=True)
        return content, _flat(content)
    except Exception as error:  # whatever a broken file makes a reader raise
        raise ValueError(
            f"model.weights={str(path)!r} cannot be read safely: {_reason(error)}; it may be cut "
            "short, or hold more than tensors: save model.state_dict() alone"
        ) from error


def _flat(content: Any) -> State:
    """All tensors in nested dictionaries, by their keys joined with dots."""
    found: State = {}
    seen: set[int] = set()

    def walk(prefix: str, value: Any, depth: int) -> None:
        if isinstance(value, Tensor):
            found[prefix[:-1]] = value
        elif isinstance(value, Mapping) and id(value) not in seen and depth < DEEPEST:
            seen.add(id(value))
            for key, item in value.items():
                walk(f"{prefix}{key}.", item, depth + 1)

    walk("", content, 0)
    return found


def _nets(named: State, wanted: list[str]) -> dict[str, State]:
    """Whatever has wanted names behind a common prefix, by that prefix, the fullest first."""
    known = set(wanted)
    longest = max((name.count(".") + 1 for name in wanted), default=0)
    counts: Counter[str] = Counter()
    for name in named:
        parts = name.rsplit(".", longest)
        for depth in range(len(parts)):
            if (ending := ".".join(parts[depth:])) in known:
                counts[name.removesuffix(ending)] += 1
    most = max(counts.values(), default=0)
    return {
        prefix[:-1]: {k.removeprefix(prefix): v for k, v in named.items() if k.startswith(prefix)}
        for prefix, count in counts.most_common(MOST_NETS)
        if count == most
    }


def _whole(nets: Mapping[str, State], names: list[str]) -> dict[str, State]:
    """Those that have all that is wanted."""
    return {place: net for place, net in nets.items() if all(name in net for name in names)}


def _places(nets: Mapping[str, State]) -> str:
    return " | ".join(place or "''" for place in nets) or "none"


def _unwrapped(name: str) -> str:
    """A name without what wrappers put into it.

    >>> _unwrapped("features.module.0.weight")
    'features.0.weight'
    """
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _reason(error: Exception) -> str:
    """What is wrong with the file; of objects that could run code, the first one's type."""
    if found := re.search(r"GLOBAL (\S+)", str(error)):
        return f"besides tensors it holds a {found[1]}"
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _listing(content: Any) -> str:
    """The keys of the file, and what is behind them."""
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    keys = [f"{key} ({type(value).__name__})" for key, value in content.items()]
    return some(keys, SHOWN) or "nothing"
