"""``analyze(cfg)``: from what the jobs left to what it means.

::

    folders -> runs -> conditions -> curves, computed or from the store
                           |            |
                           +-> accuracies -> agreement -> verdict, tables, figures, report
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from isplit import config
from isplit.analysis.collect import Collection, collect
from isplit.files import write_text
from isplit.keys import checked
from isplit.runs.agreement import agreement_study
from isplit.runs.classes import classes_study

log = logging.getLogger(__name__)

Study = Callable[[DictConfig, Collection, Path, Sequence[Logger]], None]

STUDIES: dict[str, Study] = {"agreement": agreement_study, "classes": classes_study}
"""What ``study=`` can ask for."""


def analyze(cfg: DictConfig) -> None:
    """Make the study that ``cfg.study`` asks for, of all runs found; its files in ``paths.output``.

    Raises:
        ValueError: no finished run below ``cfg.runs``.
        FileNotFoundError: a folder of ``cfg.runs`` is not there.
    """
    cfg = checked(cfg)
    folder = Path(cfg.paths.output)
    found = collect(config.run_folders(cfg))
    for line in found.left_out:
        log.warning("left out: %s", line)
    if not found.runs:
        where = ", ".join(map(str, config.run_folders(cfg)))
        raise ValueError(f"runs={where} has no finished run: python train.py makes one")
    log.info("%d runs, results in %s", len(found.runs), folder)
    with config.loggers(cfg, folder, "analyze") as loggers:
        write_text(folder / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))
        STUDIES[cfg.study.name](cfg, found, folder, loggers)
