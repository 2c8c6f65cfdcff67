"""Contradictions in a config, refused before anything is read or trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from omegaconf import DictConfig

from isplit.config.values import cui_settings, plain, rate_of
from isplit.importance import PREDICTORS, CuiSettings
from isplit.stages import LOSSES, OPTIMIZERS, SCHEDULES
from isplit.studies.classes.proposal import FEWEST_CLASSES

STAGES = ("baseline", "autoencoder", "finetune")
STRATEGIES = ("auto", "ddp")
TRAINS = ("auto", "all", "classifier", "nothing")


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
    least = {"images": 4, "repeats": 1, "classes_per_subset": FEWEST_CLASSES}
    for key, value in least.items():
        if study.get(key) is not None:
            _at_least(f"study.{key}", study[key], value)
    if cfg.threads != "auto":
        _at_least("threads", cfg.threads, 1)


def _one_of(key: str, value: Any, choices: Iterable[str]) -> None:
    if value not in choices:
        raise ValueError(f"{key}={value!r} is none of {', '.join(choices)}")


def _at_least(key: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{key}={value} must be at least {least}")
