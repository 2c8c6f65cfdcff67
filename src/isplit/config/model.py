"""The data and the unsplit classifier of a config, and what of it trains."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn

from isplit import data as sets
from isplit.backbones import adopt, build_backbone, keep_outputs
from isplit.config.values import plain, recipe
from isplit.data import ImageData
from isplit.graph import classifier_of
from isplit.stages import Recipe

OTHER_SEED = 20_011_213  # any that no job derives for its model


def build_data(cfg: DictConfig) -> ImageData:
    """The data set of ``cfg.data``."""
    return sets.build_data(**plain(cfg.data))


def model_keys(cfg: DictConfig, data: ImageData) -> dict[str, Any]:
    """Arguments of ``build_model``: the keys of ``cfg.model`` and what the data asks for."""
    keys = {**plain(cfg.model), "num_classes": data.num_classes, "image_size": data.image_size}
    return keys | {"outputs": [data.outputs.of, *data.outputs.chosen]} if data.outputs else keys


def build_model(keys: dict[str, Any]) -> nn.Module:
    """The unsplit classifier, as it is before any training here."""
    if "outputs" in keys:
        of, *chosen = keys["outputs"]
        others = {key: value for key, value in keys.items() if key != "outputs"}
        net = build_model(others | {"num_classes": of})
        return keep_outputs(net, chosen, classifier_of(net, keys["head"]))
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


def brings_weights(keys: dict[str, Any], net: nn.Module) -> bool:
    """Whether all weights of ``net`` were made elsewhere: another seed gives the same ones.

    They come from ``keys.weights``, or from a file that the user's own function loads.
    """
    if "net" not in keys and keys["weights"] is None:
        return False
    with torch.random.fork_rng():
        torch.manual_seed(OTHER_SEED)
        again = build_model(keys).state_dict()
    return all(torch.equal(again[name], own) for name, own in net.state_dict().items())


def baseline_recipe(cfg: DictConfig, net: nn.Module, trained: bool) -> Recipe:
    """How the baseline trains; what ``stage.baseline.trains`` leaves out of ``net`` is frozen."""
    trains = cfg.stage.baseline.trains
    if trains == "auto":
        trains = "nothing" if trained else "all"
    if trains == "classifier":
        head = net.get_submodule(classifier_of(net, cfg.model.get("head")))
        net.requires_grad_(False)
        head.requires_grad_(True)
    training = recipe(cfg, "baseline")
    return replace(training, epochs=0) if trains == "nothing" else training
