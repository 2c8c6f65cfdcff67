"""Lightning's loggers, so that none ends a training, or mixes the trainings of several points."""

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from lightning.pytorch.loggers import Logger

log = logging.getLogger(__name__)

TOLD = ("log_metrics", "log_hyperparams", "log_graph", "save", "finalize")


def forgiving(logger: Logger) -> Logger:
    """The same logger, which says once what goes wrong with it instead of ending a training."""
    for name in TOLD:
        setattr(logger, name, unbothered(getattr(logger, name)))
    return logger


def prefixed(logger: Logger, prefix: str) -> Logger:
    """The same logger under names that begin so: what trains the same stages one after another."""
    if not prefix:
        return logger
    other = object.__new__(type(logger))
    vars(other).update(vars(logger))  # copy.copy would pickle it, of which W&B warns

    def log_metrics(metrics: Mapping[str, float], step: int | None = None) -> None:
        logger.log_metrics({f"{prefix}{name}": value for name, value in metrics.items()}, step)

    setattr(other, "log_metrics", log_metrics)  # noqa: B010
    return other


def unbothered(tell: Callable[..., Any]) -> Callable[..., Any]:
    """The same call, which says once what goes wrong with it instead of ending a job."""
    said: list[str] = []

    @functools.wraps(tell)
    def told(*values: Any, **keys: Any) -> Any:
        try:
            return tell(*values, **keys)
        except Exception as error:  # a tracker may raise anything
            if str(error) not in said:
                log.warning("tracking: %s failed: %s", tell.__name__, error)
                said.append(str(error))

    return told
