"""A job's W&B run: online or offline, never asking, found again by its id."""

from __future__ import annotations

import logging
import netrc
import os
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import wandb
from lightning.pytorch.loggers import Logger, WandbLogger

log = logging.getLogger(__name__)

MODES = ("auto", "online", "offline", "disabled")


def wandb_mode(mode: str) -> str:
    """``online``, ``offline`` or ``disabled``; ``auto`` is online if a key is configured.

    ``auto`` obeys the environment variable WANDB_MODE first. It never asks for a key.

    Raises:
        ValueError: unknown mode.
    """
    if mode not in MODES:
        raise ValueError(f"logger.mode={mode!r} is none of {', '.join(MODES)}")
    if mode != "auto":
        return mode
    if os.environ.get("WANDB_MODE") in MODES[1:]:
        return os.environ["WANDB_MODE"]
    return "online" if _has_key() else "offline"


@contextmanager
def wandb_run(
    mode: str,
    folder: Path,
    config: Mapping[str, Any],
    *,
    project: str = "isplit",
    name: str | None = None,
    group: str | None = None,
    tags: Iterable[str] = (),
    job_type: str = "train",
    run_id: str | None = None,
) -> Iterator[list[Logger]]:
    """The logger of a W&B run, online or in ``folder``; none where W&B is disabled.

    The run ends with the block, as failed when the block raises.

    Args:
        mode: one of ``MODES``.
        folder: where W&B keeps its files.
        config: nested; W&B gets it flat (``split/layer``). Its sweeps set keys of their own, with
            dots (``split.layer``) or a group's name (``data``), and would overwrite a whole group.
        project: W&B project.
        name: of the run.
        group: by which W&B puts runs together.
        tags: of the run.
        job_type: ``train`` or ``analyze``.
        run_id: a run that has it is continued, as after a crash; ``None``: a new run. The id that
            a sweep's agent gives (WANDB_RUN_ID) comes first.
    """
    mode = wandb_mode(mode)
    if mode == "disabled":
        yield []
        return
    run = wandb.init(
        mode=mode,  # type: ignore[arg-type]
        dir=folder,
        config=dict(_flat(config)),
        project=project,
        name=name,
        group=group,
        tags=list(tags),
        job_type=job_type,
        settings=wandb.Settings(silent=True, console="off"),
        **_same_run(run_id),
    )
    log.info("tracking: W&B %s, project %s", mode, project)
    exit_code = 1
    try:
        yield [WandbLogger(experiment=run, save_dir=folder)]
        exit_code = 0
    finally:
        run.finish(exit_code)


def _flat(config: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Keys and values of a nested config, the keys joined by slashes.

    >>> dict(_flat({"data": {"name": "letters", "classes": ["A", "B"]}, "seed": 0}))
    {'data/name': 'letters', 'data/classes': ['A', 'B'], 'seed': 0}
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}/")
        else:
            yield f"{above}{key}", value


def _same_run(run_id: str | None) -> dict[str, Any]:
    """Arguments of ``wandb.init`` that continue a run; the environment's wishes stand."""
    given = os.environ.get("WANDB_RUN_ID")
    if not (given or run_id):
        return {}
    resume: Literal["allow"] | None = None if "WANDB_RESUME" in os.environ else "allow"
    return {"id": given or run_id, "resume": resume}


def _has_key() -> bool:
    """Whether W&B would find a key without asking: in the environment or in the netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urllib.parse.urlparse(wandb.Settings().base_url).hostname or ""
    path = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    try:
        return netrc.netrc(path).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
