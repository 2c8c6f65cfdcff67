"""From a composed Hydra config to the objects of a job; what contradicts itself is refused here."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf
from torch import nn

from isplit.backbones import adopt, build_backbone, comes_trained, head_path
from isplit.bottleneck import RateOf, same_code, same_rate
from isplit.data import ImageData
from isplit.data import build_data as _build_data
from isplit.importance import PREDICTORS, CuiSettings, Limits
from isplit.stages import (
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    Engine,
    Recipe,
    Team,
    fingerprint,
    teamed,
)
from isplit.threads import cores, has_company, share_of
from isplit.tracking import progress_callbacks, wandb_run

STAGES = ("baseline", "autoencoder", "finetune")
STRATEGIES = ("auto", "ddp")
TRAINS = ("auto", "all", "classifier", "nothing")
NOT_THE_RESULT = ("paths", "logger", "sweep", "hydra")  # groups that decide where, not what


def check(cfg: DictConfig) -> None:
    """Refuse a config that cannot work, before anything is read or trained.

    Raises:
        ValueError: names the key, its value and the choices.
    """
    for stage in STAGES:
        training = cfg.stage[stage]
        _one_of(f"stage.{stage}.optimizer", training.optimizer, OPTIMIZERS)
        _one_of(f"stage.{stage}.schedule", training.schedule, SCHEDULES)
        _one_of(f"stage.{stage}.loss", training.loss, LOSSES)
        _at_least(f"stage.{stage}.epochs", training.epochs, 1 if stage == "autoencoder" else 0)
        _at_least(f"stage.{stage}.batch_size", training.batch_size, 1)
    if cfg.stage.autoencoder.loss != "mse":
        raise ValueError(
            f"stage.autoencoder.loss={cfg.stage.autoencoder.loss!r} must be mse: features are no "
            "class scores (I-SPLIT Eq. 3)"
        )
    _one_of("stage.baseline.trains", cfg.stage.baseline.trains, TRAINS)
    _one_of("trainer.strategy", cfg.trainer.strategy, STRATEGIES)
    if cfg.trainer.threads != "auto":
        _at_least("trainer.threads", cfg.trainer.threads, 1)
    _one_of("split.kind", cfg.split.kind, PREDICTORS)
    cui_settings(cfg)  # refuses what it does not know
    rate_of(cfg)


def check_study(cfg: DictConfig, studies: Iterable[str]) -> None:
    """Refuse an analysis that cannot work, before anything is read.

    Raises:
        ValueError: names the key, its value and the choices.
    """
    study = cfg.study
    _one_of("study", study.name, studies)
    for kind in (*study.get("predictors", ()), *study.get("untrained", ())):
        _one_of("study.predictors", kind, PREDICTORS)
    for reduction in study.get("reductions", ()):
        CuiSettings(**plain(reduction))
    if study.get("images") is not None:
        _at_least("study.images", study.images, 4)
    if cfg.threads != "auto":
        _at_least("threads", cfg.threads, 1)


def run_folders(cfg: DictConfig) -> list[Path]:
    """Where an analysis looks for runs."""
    folders = plain(cfg.runs)
    return [Path(f).expanduser() for f in (folders if isinstance(folders, list) else [folders])]


def identity(cfg: DictConfig) -> dict[str, Any]:
    """The part of a config that decides what comes out, as JSON values."""
    groups = [str(group) for group in cfg if group not in NOT_THE_RESULT]
    return {group: plain(cfg[group]) for group in groups}


def plain(node: Any) -> Any:
    """A config node as plain dicts, lists and values, interpolations resolved."""
    if OmegaConf.is_config(node):
        return OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    return node


def build_data(cfg: DictConfig) -> ImageData:
    """The data set of ``cfg.data``."""
    keys = plain(cfg.data)
    return _build_data(
        keys.pop("name"),
        root=_path(keys.pop("root", None)),
        cache_dir=Path(keys.pop("cache_dir")),
        **keys,
    )


def architecture(cfg: DictConfig) -> str:
    """What the model is called: torchvision's name where it was chosen by ``model.arch``."""
    return str(cfg.model.get("arch") or cfg.model.name)


def model_keys(cfg: DictConfig, data: ImageData) -> dict[str, Any]:
    """Arguments of ``build_model``: the keys of ``cfg.model`` and what the data asks for."""
    return {**plain(cfg.model), "num_classes": data.num_classes, "image_size": data.image_size}


def build_model(keys: dict[str, Any]) -> nn.Module:
    """The unsplit classifier, as it is before any training here."""
    if "net" not in keys:
        return build_backbone(**keys)
    others = {key: value for key, value in keys.items() if key not in ("name", "net")}
    return adopt(instantiate(keys["net"]), **others)


def baseline_recipe(cfg: DictConfig, net: nn.Module) -> Recipe:
    """How the baseline trains; what ``stage.baseline.trains`` leaves out of ``net`` is frozen."""
    trains = cfg.stage.baseline.trains
    if trains == "auto":
        trains = "nothing" if comes_trained(net, cfg.model.weights) else "all"
    if trains == "classifier":
        net.requires_grad_(False).get_submodule(head_path(net)).requires_grad_(True)
    training = recipe(cfg, "baseline")
    return replace(training, epochs=0) if trains == "nothing" else training


def model_description(keys: dict[str, Any]) -> dict[str, Any]:
    """The model's arguments, a file of weights replaced by its content's hash."""
    weights = keys.get("weights")
    if weights is not None and Path(weights).is_file():
        with Path(weights).open("rb") as file:
            return keys | {"weights": hashlib.file_digest(file, "sha256").hexdigest()}
    return keys


def recipe(cfg: DictConfig, stage: str) -> Recipe:
    """How a stage trains."""
    keys = plain(cfg.stage[stage])
    keys.pop("trains", None)
    return Recipe(**keys)


@contextmanager
def team(cfg: DictConfig) -> Iterator[tuple[Team, DictConfig]]:
    """The processes of this job, and the config of this one while it is one of them.

    The leader has the config as it is. What the others would write and say is thrown away.

    Raises:
        ValueError: a batch cannot be divided among them.
    """
    trainer = cfg.trainer
    devices = (trainer.accelerator, plain(trainer.devices), trainer.strategy, trainer.num_nodes)
    with teamed(*devices, may_start=not _in_sweep()) as team:
        for stage in STAGES:
            _divisible(f"stage.{stage}.batch_size", cfg.stage[stage].batch_size, team)
        if team.leads:
            yield team, cfg
            return
        logging.getLogger().setLevel(logging.WARNING)
        with (
            tempfile.TemporaryDirectory() as folder,
            Path(os.devnull).open("w") as nowhere,
            redirect_stdout(nowhere),
        ):
            silent = {"paths": {"output": folder}, "logger": {"mode": "disabled"}}
            follower = OmegaConf.merge(cfg, silent)
            assert isinstance(follower, DictConfig)
            follower.logger.extra = {}
            yield team, follower


def engine(cfg: DictConfig, loggers: Iterable[Logger], team: Team | None = None) -> Engine:
    """What the job runs on, and who is told."""
    team = team or Team()
    keys = plain(cfg.trainer)
    threads, progress = keys.pop("threads"), keys.pop("progress")
    use_threads(threads, team.size // cfg.trainer.num_nodes)
    if progress == "auto" and has_company(_launcher()):
        progress = "lines"
    progress_callbacks(progress)  # an unknown kind is refused before anything runs
    return Engine(
        loggers=tuple(loggers),
        callbacks=lambda stage: progress_callbacks(progress),
        team=team,
        **keys,
    )


def use_threads(threads: int | str, processes: int = 1) -> None:
    """Let torch have so many threads; ``auto``: half the cores, since busy ones are far slower.

    In a sweep ``auto`` is this job's share of that, or all the cores that a queue gave it; where
    several ``processes`` of one job are on this machine, theirs.
    """
    own = max(1, cores() // max(1, processes))
    torch.set_num_threads(share_of(own, _launcher()) if threads == "auto" else int(threads))


def limits(cfg: DictConfig) -> Limits:
    """What the chosen split point must keep to."""
    return Limits(**{name: cfg.split[name] for name in Limits.__dataclass_fields__})


def rate_of(cfg: DictConfig) -> RateOf:
    """The compression rate at each point: the one asked for, or what the size of the code makes."""
    elements = cfg.bottleneck.code_elements
    same = same_rate(cfg.bottleneck.compression_rate)
    return same if elements is None else same_code(elements)


def cui_settings(cfg: DictConfig) -> CuiSettings:
    """The reductions of the CUI."""
    return CuiSettings(**plain(cfg.split.cui))


@contextmanager
def loggers(cfg: DictConfig, folder: Path, job_type: str = "train") -> Iterator[list[Logger]]:
    """W&B, if it is not disabled, and the loggers of ``logger.extra``, while a job runs."""
    keys = plain(cfg.logger)
    extra = [instantiate(logger) for logger in keys.pop("extra").values()]
    labels = [architecture(cfg)] if "model" in cfg else []
    labels += [str(cfg.data.name)] if "data" in cfg else []
    keys["group"] = keys["group"] or "-".join(labels) or None
    keys["tags"] = [*keys["tags"], *labels, *_size_tags(cfg)]
    run_id = job_id(cfg) if keys.pop("resume") and job_type == "train" else None
    about = keys | {"job_type": job_type, "run_id": run_id}
    with wandb_run(about.pop("mode"), folder, identity(cfg), **about) as tracker:
        yield tracker + extra


def job_id(cfg: DictConfig) -> str:
    """What is the same for the same job on the same store, and only then."""
    return fingerprint(identity(cfg) | {"store": str(Path(cfg.paths.store).resolve())})


def _size_tags(cfg: DictConfig) -> list[str]:
    """How much of the features is sent: ``rate=0.9``, or ``code=256`` elements."""
    if "bottleneck" not in cfg:
        return []
    elements = cfg.bottleneck.code_elements
    rate = f"rate={cfg.bottleneck.compression_rate}"
    return [rate if elements is None else f"code={elements}"]


def _one_of(key: str, value: Any, choices: Iterable[str]) -> None:
    if value not in choices:
        raise ValueError(f"{key}={value!r} is none of {', '.join(choices)}")


def _at_least(key: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{key}={value} must be at least {least}")


def _divisible(key: str, batch_size: int, team: Team) -> None:
    if batch_size % team.size:
        raise ValueError(
            f"{key}={batch_size} cannot be divided among the {team.size} processes of "
            "trainer.devices and trainer.num_nodes: a batch is what all of them take together"
        )


def _in_sweep() -> bool:
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def _launcher() -> dict[str, Any]:
    """Settings of the launcher of the sweep that this job belongs to; empty outside one."""
    if _in_sweep():
        return dict(plain(HydraConfig.get().launcher))
    return {}


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value).expanduser()
