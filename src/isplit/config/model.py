"""The unsplit classifier of a config, and what of it trains."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn

from isplit.backbones import adopt, build_backbone, comes_trained, head_path
from isplit.config.values import plain, recipe
from isplit.data import ImageData
from isplit.stages import Recipe


def model_keys(cfg: DictConfig, data: ImageData) -> dict[str, Any]:
    """Arguments of ``build_model``: the keys of ``cfg.model`` and what the data asks for."""
    return {**plain(cfg.model), "num_classes": data.num_classes, "image_size": data.image_size}


def build_model(keys: dict[str, Any]) -> nn.Module:
    """The unsplit classifier, as it is before any training here."""
    if "net" not in keys:
        return build_backbone(**keys)
    others = {key: value for key, value in keys.items() if key not in ("name", "net")}
    return adopt(instantiate(keys["net"]), **others)


def model_description(keys: dict[str, Any]) -> dict[str, Any]:
    """The model's arguments, a file of weights replaced by its content's hash."""
    weights = keys.get("weights")
    if weights is not None and Path(weights).is_file():
        with Path(weights).open("rb") as file:
            return keys | {"weights": hashlib.file_digest(file, "sha256").hexdigest()}
    return keys


def baseline_recipe(cfg: DictConfig, net: nn.Module) -> Recipe:
    """How the baseline trains; what ``stage.baseline.trains`` leaves out of ``net`` is frozen."""
    trains = cfg.stage.baseline.trains
    if trains == "auto":
        trains = "nothing" if comes_trained(net, cfg.model.weights) else "all"
    if trains == "classifier":
        net.requires_grad_(False).get_submodule(head_path(net)).requires_grad_(True)
    training = recipe(cfg, "baseline")
    return replace(training, epochs=0) if trains == "nothing" else training
