"""The split model as files: weights as safetensors, what they belong to as a JSON manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from isplit.backbones import build_backbone
from isplit.bottleneck import make_bottleneck
from isplit.files import replacing, write_json
from isplit.graph import split_at, split_points, trace
from isplit.model import SplitModel

MANIFEST_SCHEMA = 1


@dataclass(frozen=True)
class Manifest:
    """All that is needed to build the split model again, and to feed it.

    Attributes:
        model: arguments of ``build_backbone``.
        layer: name of the split point, ``granularity`` says among which.
        mean: per channel, subtracted from pixels in 0..1; then divided by ``std``.
        weights_sha256: of the safetensors file beside the manifest.
    """

    model: Mapping[str, Any]
    layer: str
    granularity: str
    compression_rate: float
    class_names: tuple[str, ...]
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights_sha256: str = ""
    schema: int = MANIFEST_SCHEMA


def save_split_model(split: SplitModel, manifest: Manifest, folder: Path) -> None:
    """Write ``split_model.safetensors`` and, last, ``split_model.json`` into ``folder``."""
    weights = {name: tensor.contiguous().cpu() for name, tensor in split.state_dict().items()}
    path = folder / "split_model.safetensors"
    with replacing(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(weights))  # save_file lets nobody else read
    content = asdict(manifest) | {"weights_sha256": _sha256(path)}
    write_json(folder / "split_model.json", content)


def load_split_model(folder: Path, net: nn.Module | None = None) -> SplitModel:
    """The split model that ``save_split_model`` wrote into ``folder``, in evaluation mode.

    Args:
        folder: of a finished job.
        net: the unsplit classifier, with any weights, where it was one of the user's own
            (``model=custom``): a manifest never names code to run.

    Raises:
        ValueError: the weights are not those the manifest speaks of, or ``net`` is missing.
    """
    content = json.loads((folder / "split_model.json").read_text(encoding="utf-8"))
    manifest = Manifest(**content)
    path = folder / "split_model.safetensors"
    if _sha256(path) != manifest.weights_sha256:
        raise ValueError(f"{path} is not the file that split_model.json beside it was written for")
    if net is None and "net" in manifest.model:
        raise ValueError(f"{folder} holds a split of a model of your own: give it as net=...")
    net = build_backbone(**manifest.model) if net is None else net
    example = torch.zeros(1, 3, manifest.image_size, manifest.image_size)
    traced = trace(net, example)
    point = next(p for p in split_points(traced, manifest.granularity) if p.name == manifest.layer)
    head, tail = split_at(traced, point)
    split = SplitModel(head, make_bottleneck(point, manifest.compression_rate), tail)
    split.load_state_dict(safetensors.torch.load_file(path))
    return split.eval()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
