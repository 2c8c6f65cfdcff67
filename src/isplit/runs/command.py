"""A job as a command: what goes wrong is said in one line, and what stops it tells the shell."""

import logging
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from isplit.files import write_text
from isplit.job import in_sweep, launcher
from isplit.report.text import printable
from isplit.stages import CHATTY, PREEMPTED, Preempted, preemptible
from isplit.threads import has_company

log = logging.getLogger(__name__)

USER_ERRORS = (  # what a user can mend: values, files, what Lightning and Hydra refuse
    ValueError,
    OSError,
    MisconfigurationException,
    HydraException,
    OmegaConfBaseException,
)
NO_MEMORY = re.compile("MemoryError|out of memory|(can't allocate|not enough) memory")
LESS_AT_ONCE = (
    "choose a smaller stage.<stage>.batch_size, stage.evaluation_batch_size, split.batch_size or "
    "study.batch_size"
)
INTERRUPTED = 130  # exit status of a program stopped with Ctrl-C
GOES_ON = (
    "the same command goes on: finished stages are reused, the one that was interrupted resumes "
    "after its last whole epoch"
)
FAILURE = "error.txt"  # in the folder of a job of a sweep that failed


class PlainFormatter(logging.Formatter):
    """Lines that steer no terminal, whatever names are in them."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, control characters replaced."""
        return printable(super().format(record), kept="\n\t")


class JobError(Exception):
    """A job of a sweep failed; its message is the reason, and crosses to other processes."""


def command(job: Callable[[DictConfig], Any], cfg: DictConfig) -> None:
    """Run a job as a command: what the user can mend is said in one line, without a traceback.

    In a sweep (``-m``) whatever goes wrong is left to the sweep, so that the other jobs go on.

    Raises:
        JobError: in a sweep.
        Preempted: SIGTERM or SIGUSR1 came.
    """
    speak()
    try:
        if in_sweep():
            place = HydraConfig.get().job.name  # ``3 of 18``
            log.info("job %s: %s", place, Path(cfg.paths.output).name)
            (Path(cfg.paths.output) / FAILURE).unlink(missing_ok=True)
        with preemptible():
            job(cfg)
    except Preempted as stop:
        if stop.code == PREEMPTED:  # one of the processes of a job says it for all
            log.error("preempted; %s", GOES_ON)
        raise
    except (KeyboardInterrupt, SystemExit):
        log.error("stopped; %s", GOES_ON)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if in_sweep():
            raise _failed(error, Path(cfg.paths.output)) from None
        if os.environ.get("HYDRA_FULL_ERROR") or not (message := _to_mend(error)):
            raise
        log.error("error: %s (HYDRA_FULL_ERROR=1 shows where)", message)
        sys.exit(1)


def speak() -> None:
    """Have progress and errors on the screen, a line each; where jobs mix, with the job's name."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for chatty in (*CHATTY, "hydra", "hydra_plugins"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    name = ""
    if has_company(launcher()):
        name = f"[{Path(HydraConfig.get().runtime.output_dir).name}] ".replace("%", "%%")
    for handler in logging.getLogger().handlers:
        handler.setFormatter(PlainFormatter(f"{name}%(message)s"))


def failure_in(folder: Path) -> str:
    """What stopped the job of a sweep that wrote to ``folder``; empty if nothing did."""
    try:
        return (folder / FAILURE).read_text(encoding="utf-8").partition("\n\nTraceback")[0].strip()
    except OSError:
        return ""


def _to_mend(error: Exception) -> str:
    """What is wrong where the user can mend it; empty where not."""
    text = str(error)
    if isinstance(error, MemoryError | RuntimeError) and NO_MEMORY.search(f"{error!r}"):
        return f"{text.partition(chr(10))[0] or 'out of memory'}: {LESS_AT_ONCE}"
    return text if isinstance(error, USER_ERRORS) else ""


def _failed(error: Exception, folder: Path) -> JobError:
    """The reason, after it was said and written down with its traceback."""
    message = _to_mend(error) or f"{type(error).__name__}: {error}"
    log.error("error: %s\n(%s shows where)", message, folder / FAILURE)
    write_text(folder / FAILURE, f"{message}\n\n{''.join(traceback.format_exception(error))}")
    return JobError(message)
