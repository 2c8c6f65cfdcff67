"""What a composed config says, as the values and objects that take it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from isplit.bottleneck import RateOf, same_code, same_rate
from isplit.codec import from_config
from isplit.importance import CuiSettings, Limits
from isplit.keys import plain as plain
from isplit.point import SplitPoint
from isplit.stages import Recipe, Sending

NOT_THE_RESULT = ("paths", "logger", "sweep", "hydra")  # groups that decide where, not what


def identity(cfg: DictConfig) -> dict[str, Any]:
    """The part of a config that decides what comes out, as JSON values."""
    groups = [str(group) for group in cfg if group not in NOT_THE_RESULT]
    return {group: plain(cfg[group]) for group in groups}


def architecture(cfg: DictConfig) -> str:
    """What the model is called: torchvision's name where it was chosen by ``model.arch``."""
    return str(cfg.model.get("arch") or cfg.model.name)


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


def recipe(cfg: DictConfig, stage: str) -> Recipe:
    """How a stage trains."""
    keys = plain(cfg.stage[stage])
    return Recipe(**{key: keys[key] for key in keys if key not in ("trains", "through_codec")})


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
