"""What a config, composed and checked (``isplit.keys``), says: the values and objects of a job."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn

from isplit import data as sets
from isplit.backbones import adopt, build_backbone, keep_outputs
from isplit.codec import from_config
from isplit.data import ImageData
from isplit.files import sha256
from isplit.graph import classifier_of
from isplit.importance.curve import CuiSettings
from isplit.importance.select import Limits
from isplit.keys import architecture as architecture
from isplit.keys import plain as plain
from isplit.point import RateOf, SplitPoint, same_code, same_rate
from isplit.stages import FineTuning, Recipe, Sending

NOT_THE_RESULT = ("paths", "logger", "sweep", "hydra")  # groups that decide where, not what
OTHER_SEED = 20_011_213  # any that no job derives for its model


def identity(cfg: DictConfig) -> dict[str, Any]:
    """The part of a config that decides what comes out, as JSON values."""
    groups = [str(group) for group in cfg if group not in NOT_THE_RESULT]
    return {group: plain(cfg[group]) for group in groups}


def run_folders(cfg: DictConfig) -> list[Path]:
    """Where an analysis looks for runs."""
    folders = plain(cfg.runs)
    return [Path(f).expanduser() for f in (folders if isinstance(folders, list) else [folders])]


def server(cfg: DictConfig) -> str | None:
    """The other end of a link: a preset's name, or the file of one of the user's own."""
    sources = HydraConfig.get().runtime.config_sources if HydraConfig.initialized() else []
    named = [Path(source.path, "device", f"{cfg.server}.yaml") for source in sources[1:]]
    return next((str(path) for path in named if path.is_file()), cfg.server)


def store_folder(cfg: DictConfig) -> Path:
    """Where finished stages lie."""
    return Path(cfg.paths.store).expanduser()


def output_folder(cfg: DictConfig) -> Path:
    """Where the results of this job go."""
    return Path(cfg.paths.output).expanduser()


def recipe(cfg: DictConfig, stage: str) -> Recipe:
    """How the baseline or the autoencoder trains."""
    keys = plain(cfg.stage[stage])
    return Recipe(**{key: keys[key] for key in keys if key != "trains"})


def fine_tuning(cfg: DictConfig) -> FineTuning:
    """How the split model trains."""
    keys = plain(cfg.stage.finetune)
    return FineTuning(**{key: keys[key] for key in keys if key != "through_codec"})


def limits(cfg: DictConfig) -> Limits:
    """What the chosen split point must keep to."""
    how, names = sending(cfg), Limits.__dataclass_fields__
    bounds = Limits(**{name: cfg.split[name] for name in names if name in cfg.split})
    return replace(bounds, sent_bytes=how.largest_bytes) if how else bounds


def sending(cfg: DictConfig) -> Sending | None:
    """How the code is sent; ``None``: as float32, without a codec."""
    keys = plain(cfg.codec)
    images = keys.pop("calibration_images", None)
    return None if keys["name"] == "none" else Sending(from_config(keys), images)


def rate_of(cfg: DictConfig) -> RateOf:
    """The compression rate at each point: the one asked for, or what the size of the code makes.

    Without a bottleneck it is 0.
    """
    if cfg.bottleneck.compression_rate == 0:
        return lambda point: 0.0
    elements = cfg.bottleneck.code_elements
    same = same_rate(cfg.bottleneck.compression_rate)
    return same if elements is None else same_code(elements)


def curve_rate_of(cfg: DictConfig) -> RateOf:
    """The same for a curve: a code as large as the features keeps all of them but one."""
    elements, rate = cfg.bottleneck.get("code_elements") or 0, rate_of(cfg)
    return lambda point: rate(point) if point.numel > elements else 1 / point.numel


def not_compressed(cfg: DictConfig, points: Sequence[SplitPoint]) -> list[str]:
    """A line on the points whose features are no more than the code would be; none without any."""
    elements = cfg.bottleneck.get("code_elements") or 0
    labels = [f"{point.label} ({point.numel})" for point in points if point.numel <= elements]
    what = f"left out, with no more features than bottleneck.code_elements={elements}: "
    return [what + ", ".join(labels)] if labels else []


def cui_settings(cfg: DictConfig) -> CuiSettings:
    """The reductions of the CUI."""
    return CuiSettings(**plain(cfg.split.cui))


def build_data(cfg: DictConfig) -> ImageData:
    """The data set of ``cfg.data``."""
    return sets.build_data(**plain(cfg.data))


def model_keys(cfg: DictConfig, data: ImageData) -> dict[str, Any]:
    """Arguments of ``build_model``: the keys of ``cfg.model`` and what the data asks for."""
    keys = {**plain(cfg.model), "num_classes": data.num_classes, "image_size": data.image_size}
    if keys.get("weights") is not None:
        keys["weights"] = str(Path(keys["weights"]).expanduser())
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
        return keys | {"weights": sha256(Path(weights))}
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
