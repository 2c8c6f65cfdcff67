"""What a job runs on: its processes and devices, its threads, its share in a sweep."""

import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from isplit.config.values import plain
from isplit.stages import Engine, Team, teamed
from isplit.threads import cores, has_company, share_of
from isplit.tracking import progress_callbacks


@contextmanager
def team(cfg: DictConfig) -> Iterator[tuple[Team, DictConfig]]:
    """The processes of this job, and the config of this one while it is one of them.

    The leader has the config as it is. What the others would write and say is thrown away.

    Raises:
        ValueError: a batch cannot be divided among them; there is no such accelerator.
    """
    trainer = cfg.trainer
    _refuse_absent(trainer.accelerator)
    devices = (trainer.accelerator, plain(trainer.devices), trainer.strategy, trainer.num_nodes)
    with teamed(*devices, may_start=not in_sweep()) as team:
        for stage in ("baseline", "autoencoder", "finetune"):
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
    if progress == "auto" and has_company(launcher()):
        progress = "lines"
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
    torch.set_num_threads(share_of(own, launcher()) if threads == "auto" else int(threads))


def in_sweep() -> bool:
    """Whether this process makes a job of a sweep (``-m``)."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def launcher() -> dict[str, Any]:
    """Settings of the launcher of the sweep that this job belongs to; empty outside one."""
    if in_sweep():
        return dict(plain(HydraConfig.get().launcher))
    return {}


def _refuse_absent(accelerator: str) -> None:
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    there = {"auto": True, "cpu": True, "gpu": any(found.values()), **found}
    if not there[accelerator]:
        here = ", ".join(kind for kind, is_there in there.items() if is_there)
        raise ValueError(f"trainer.accelerator={accelerator} is not on this machine; {here} are")


def _divisible(key: str, batch_size: int, team: Team) -> None:
    if batch_size % team.size:
        raise ValueError(
            f"{key}={batch_size} cannot be divided among the {team.size} processes of "
            "trainer.devices and trainer.num_nodes: a batch is what all of them take together"
        )
