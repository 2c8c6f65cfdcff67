"""A finished stage in its folder: ``weights.safetensors`` and, with a digest, ``stage.json``."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from isplit.files import sha256, write_json
from isplit.model import as_safetensors

STORE_VERSION = 1  # raise when the meaning of a stored stage changes
FINGERPRINT_DIGITS = 16
WEIGHTS = "weights.safetensors"

Recipe = Mapping[str, Any]
"""Everything that can change a stage's result, as plain JSON values."""


@dataclass(frozen=True)
class Made:
    """What a stage leaves: tensors by name, and whatever else it found out as JSON values."""

    weights: dict[str, Tensor]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Stored:
    """A finished stage as read back from the store.

    Attributes:
        reused: whether an earlier job made it (an interrupted job that goes on counts as one).
        seconds: what making it took (since the last interruption, if there was one).
        recipe: what it was made by.
        checked: whether it has a digest; the stages of versions before 0.2 have none.
    """

    fingerprint: str
    reused: bool
    seconds: float
    made: Made
    recipe: Recipe
    checked: bool = True


def fingerprint(recipe: Recipe) -> str:
    """Hash of a recipe, the store's version and torch's.

    >>> fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": (2,), "a": 1})
    True
    >>> fingerprint({"a": 1}) == fingerprint({"a": 2})
    False
    """
    whole = {"store": STORE_VERSION, "torch": torch.__version__, "recipe": recipe}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def write_stage(folder: Path, job: str, recipe: Recipe, made: Made, seconds: float) -> None:
    """Finish the stage that ``job`` made in the ``.part`` folder, which becomes ``folder``."""
    part = folder.with_suffix(".part")
    weights = part / WEIGHTS
    weights.write_bytes(as_safetensors(made.weights))
    noted = {"job": job, "seconds": seconds, "recipe": recipe, "facts": made.facts}
    about = json.loads(json.dumps(noted, allow_nan=False))  # as it will be read
    about["digest"] = _digest(folder.name, about, weights)
    write_json(part / "stage.json", about)
    part.rename(folder)
    for leftover in (*folder.glob("*.ckpt"), *folder.glob("*.spill")):
        leftover.unlink()


def read_stage(folder: Path, own_job: str | None) -> Stored:
    """The stage in a folder, reused unless ``own_job`` made it.

    Raises:
        ValueError: it cannot be read, or is not what was written.
    """
    try:
        about = json.loads((folder / "stage.json").read_text(encoding="utf-8"))
        digest = about.pop("digest", None)
        if digest not in (None, _digest(folder.name, about, folder / WEIGHTS)):
            raise ValueError("it is not what was written there: its digest is another")
        made = Made(safetensors.torch.load_file(folder / WEIGHTS), about["facts"])
        reused, checked = about["job"] != own_job, digest is not None
        return Stored(folder.name, reused, about["seconds"], made, about["recipe"], checked)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, SafetensorError) as error:
        raise ValueError(
            f"the stored stage {folder} cannot be read ({error}): delete that folder to have "
            "it made again, or choose another store with paths.store=..."
        ) from error


def _digest(key: str, about: Recipe, weights: Path) -> str:
    """Over the weights' file and all that is noted about the stage that lies under ``key``."""
    whole = [key, sha256(weights), about]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
