"""What a job runs on (processes, devices, threads, its share in a sweep), and who is told of it."""

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
from hydra.utils import instantiate
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from isplit.config import architecture, identity, plain, store_folder
from isplit.stages import Engine, Team, fingerprint, teamed
from isplit.threads import cores, has_company, share_of
from isplit.tracking import forgiving, progress_callbacks, wandb_run

LETTERS = {0.75: "letters", 0.25: "letters easy"}  # by difficulty


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
            if (batch_size := cfg.stage[stage].batch_size) % team.size:
                raise ValueError(
                    f"stage.{stage}.batch_size={batch_size} cannot be divided among the {team.size}"
                    " processes of trainer.devices and trainer.num_nodes: a batch is what all of"
                    " them take together"
                )
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
    return dict(plain(HydraConfig.get().launcher)) if in_sweep() else {}


@contextmanager
def loggers(cfg: DictConfig, folder: Path, job_type: str = "train") -> Iterator[list[Logger]]:
    """W&B, if it is not disabled, and the loggers of ``logger.extra``, while a job runs."""
    keys = plain(cfg.logger)
    extra = [forgiving(instantiate(logger)) for logger in keys.pop("extra").values()]
    labels = [architecture(cfg)] if "model" in cfg else []
    labels += [str(cfg.data.name)] if "data" in cfg else []
    keys["group"] = keys["group"] or "-".join(labels) or None
    tags = keys["tags"].split(",") if isinstance(keys["tags"], str) else keys["tags"] or []
    keys["tags"] = [*(tag.strip() for tag in tags if tag.strip()), *labels, *_size_tags(cfg)]
    place = Path(keys.pop("dir") or folder).expanduser()
    place.mkdir(parents=True, exist_ok=True)
    run_id = job_id(cfg) if keys.pop("resume") and job_type == "train" else None
    about = keys | {"job_type": job_type, "run_id": run_id}
    with wandb_run(about.pop("mode"), place, identity(cfg), **about) as tracker:
        yield tracker + extra


def model_name(cfg: DictConfig) -> str:
    """``vgg16 x 0.25``, torchvision's name, or the user's own class."""
    net = plain(cfg.model.get("net"))
    if isinstance(net, dict) and "_target_" in net:
        return str(net["_target_"]).rpartition(".")[2]
    width = float(cfg.model.get("width", 1.0))
    return architecture(cfg) + ("" if width == 1 else f" x {width:g}")


def data_name(cfg: DictConfig) -> str:
    """``letters easy``, ``notmnist``, or the name of the user's folder."""
    name, root = str(cfg.data.name), cfg.data.get("root")
    if name == "letters":
        difficulty = float(cfg.data.difficulty)
        return LETTERS.get(difficulty, f"letters, difficulty {difficulty:g}")
    return Path(str(root)).name or name if name == "folder" and root else name


def job_id(cfg: DictConfig) -> str:
    """What is the same for the same job on the same store, and only then."""
    return fingerprint(identity(cfg) | {"store": str(store_folder(cfg).resolve())})


def _refuse_absent(accelerator: str) -> None:
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    there = {"auto": True, "cpu": True, "gpu": any(found.values()), **found}
    if not there[accelerator]:
        here = ", ".join(kind for kind, is_there in there.items() if is_there)
        raise ValueError(f"trainer.accelerator={accelerator} is not on this machine; {here} are")


def _size_tags(cfg: DictConfig) -> list[str]:
    """How much of the features is sent: ``rate=0.9``, or ``code=256`` elements."""
    if "bottleneck" not in cfg:
        return []
    elements = cfg.bottleneck.get("code_elements")
    rate = f"rate={cfg.bottleneck.compression_rate}"
    return [rate if elements is None else f"code={elements}"]
