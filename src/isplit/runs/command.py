"""A job as a command: what goes wrong is said in one line, and what stops it tells the shell."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from hydra.errors import HydraException
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

log = logging.getLogger(__name__)

USER_ERRORS = (  # what a user can mend: values, files, what Lightning and Hydra refuse
    ValueError,
    OSError,
    MisconfigurationException,
    HydraException,
    OmegaConfBaseException,
)
INTERRUPTED = 130  # exit status of a program stopped with Ctrl-C


def command(job: Callable[[DictConfig], Any], cfg: DictConfig) -> None:
    """Run a job as a command: what the user can mend is said in one line, without a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for chatty in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        job(cfg)
    except (KeyboardInterrupt, SystemExit):
        log.error(
            "stopped; the same command goes on: finished stages are reused, the one that was "
            "interrupted resumes after its last whole epoch"
        )
        sys.exit(INTERRUPTED)
    except USER_ERRORS as error:
        if os.environ.get("HYDRA_FULL_ERROR"):
            raise
        log.error("error: %s\n(HYDRA_FULL_ERROR=1 shows where)", error)
        sys.exit(1)
