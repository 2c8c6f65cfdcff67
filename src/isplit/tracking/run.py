"""A job's W&B run: online or offline, never asking, found again by its id.

W&B's client is imported where there is a run: that takes a tenth of a job's start.
"""

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import requests
from lightning.pytorch.loggers import Logger, WandbLogger
from requests.utils import get_netrc_auth

from isplit.documents import flattened
from isplit.tracking.loggers import forgiving, unbothered

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

MODES = ("auto", "online", "offline", "disabled")
PATIENCE_S = 5.0  # for any answer of W&B's server before a run begins
INIT_PATIENCE_S = 30.0  # for the run to be there


def wandb_mode(mode: str) -> str:
    """``online``, ``offline`` or ``disabled``; ``auto`` is online if a key is configured.

    ``auto`` obeys the environment variable WANDB_MODE first. It never asks for a key.
    """
    if mode != "auto":
        return mode
    if os.environ.get("WANDB_MODE") in MODES[1:]:
        return os.environ["WANDB_MODE"]
    return "online" if has_key() else "offline"


def has_key() -> bool:
    """Whether W&B would find a key without asking: in the environment or in the netrc file."""
    by_environment = any(map(os.environ.get, ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")))
    return by_environment or get_netrc_auth(_server()) is not None


@contextmanager
def wandb_run(
    mode: str,
    folder: Path,
    config: Mapping[str, Any],
    *,
    run_id: str | None = None,
    **about: Any,
) -> Iterator[list[Logger]]:
    """The logger of a W&B run, online or in ``folder``; none where W&B is disabled.

    The run ends with the block, as failed when the block raises. What goes wrong with W&B later is
    said and does not end the block.

    Args:
        mode: one of ``MODES``.
        folder: where W&B keeps its files.
        config: nested; W&B gets it flat (``split/layer``). Its sweeps set keys of their own, with
            dots (``split.layer``) or a group's name (``data``), and would overwrite a whole group.
        run_id: a run that has it is continued, as after a crash; ``None``: a new run. The id that
            a sweep's agent gives (WANDB_RUN_ID) comes first.
        about: ``project``, ``name``, ``group``, ``tags`` and ``job_type`` as ``wandb.init`` has
            them.
    """
    for name in [k for k, value in os.environ.items() if k.startswith("WANDB_") and not value]:
        del os.environ[name]  # W&B refuses some that are empty
    asked_for = os.environ.get("WANDB_MODE", mode) if mode == "auto" else mode
    mode = wandb_mode(mode)
    if mode == "disabled":
        yield []
        return
    about = {"project": "isplit", "job_type": "train"} | about | _same_run(run_id)
    about |= {"dir": folder, "config": flattened(config, "/")}
    run, mode = _begun(mode, about, insist=asked_for == "online")
    log.info("tracking: W&B %s, project %s", mode, about["project"])
    logger = WandbLogger(experiment=run, save_dir=folder)
    exit_code = 1
    try:
        yield [forgiving(logger)]
        exit_code = 0
    finally:
        unbothered(run.finish)(exit_code)


def _begun(mode: str, about: Mapping[str, Any], *, insist: bool) -> tuple["wandb.Run", str]:
    """A run, offline where W&B cannot be had online; and its mode.

    Raises:
        ValueError: it cannot be had, and ``insist``.
    """
    import wandb

    if mode == "online":
        try:
            if not has_key():
                raise ValueError("there is no W&B key (wandb login)")
            if not _answers(_server()):
                raise ValueError("W&B cannot be reached")
            return _init("online", about), mode
        except Exception as error:  # its service has errors that are no wandb.Error
            reason = " ".join(str(error).split())
            if insist:
                advice = "logger.mode=offline keeps the run for wandb sync later"
                raise ValueError(f"{reason}: {advice}") from error
            log.warning("tracking: %s: offline, wandb sync later", reason)
            unbothered(wandb.teardown)()
    return _init("offline", about), "offline"


def _init(mode: Literal["online", "offline"], about: Mapping[str, Any]) -> "wandb.Run":
    import wandb

    settings = wandb.Settings(silent=True, console="off", init_timeout=INIT_PATIENCE_S)
    try:
        return wandb.init(mode=mode, settings=settings, **about)
    except (wandb.errors.UsageError, ValueError) as error:
        asked = ", ".join(f"logger.{key}={about.get(key)!r}" for key in ("project", "name", "tags"))
        raise ValueError(f"{asked}: {' '.join(str(error).split())}") from error


def _server() -> str:
    import wandb

    return os.environ.get("WANDB_BASE_URL") or wandb.Settings().base_url


def _answers(address: str) -> bool:
    """Whether anything answers there within ``PATIENCE_S``, the look-up of its name included."""
    answered = threading.Event()

    def ask() -> None:
        with suppress(OSError, ValueError):
            requests.head(address, timeout=PATIENCE_S)
            answered.set()

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE_S)
    return answered.is_set()


def _same_run(run_id: str | None) -> dict[str, Any]:
    """Arguments of ``wandb.init`` that continue a run; the environment's wishes stand."""
    run_id = os.environ.get("WANDB_RUN_ID") or run_id
    resume = None if "WANDB_RESUME" in os.environ else "allow"
    return {"id": run_id, "resume": resume} if run_id else {}
