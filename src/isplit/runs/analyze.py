"""``analyze(cfg)``: from what the jobs left to what it means.

::

    folders -> runs -> conditions -> curves, computed or from the store
                           |            |
                           +-> accuracies -> agreement -> verdict, tables, figures, report
"""

import logging
import platform
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

from omegaconf import DictConfig, OmegaConf

from isplit import config, job
from isplit.files import write_text
from isplit.keys import checked
from isplit.report.findings import Findings, write_findings
from isplit.report.page import write_report
from isplit.report.screen import say
from isplit.runs.curves import seen_of
from isplit.runs.required import places
from isplit.studies.agreement.study import agreement_study
from isplit.studies.classes.study import classes_study
from isplit.studies.collect import Collection, collect
from isplit.studies.latency.study import latency_study
from isplit.studies.payload.study import payload_study
from isplit.studies.seen import Look
from isplit.tracking import log_findings

log = logging.getLogger(__name__)

Study = Callable[[Collection, Look, Mapping[str, Any]], Findings]
"""Findings from the runs, from what their nets show, and from the keys of ``study``."""

STUDIES: dict[str, Study] = {
    "agreement": agreement_study,
    "classes": classes_study,
    "latency": latency_study,
    "payload": payload_study,
}
"""What ``study=`` can ask for: a new one is a function and a line here."""

PROGRAMS = ("isplit", "torch", "torchvision", "lightning", "scipy", "grad-cam")


def analyze(cfg: DictConfig) -> None:
    """Make the study that ``cfg.study`` asks for, of all runs found; its files in ``paths.output``.

    Raises:
        ValueError: an unknown study; no finished run below ``cfg.runs``.
        FileNotFoundError: a folder of ``cfg.runs`` is not there.
    """
    cfg = checked(cfg)
    if cfg.study.name not in STUDIES:
        raise ValueError(f"study.name={cfg.study.name!r} is none of {', '.join(STUDIES)}")
    folder = config.output_folder(cfg)
    found = collect(config.run_folders(cfg))
    for line in found.left_out:
        log.warning("left out: %s", line)
    if not found.runs:
        where = ", ".join(map(str, config.run_folders(cfg)))
        raise ValueError(f"runs={where} has no finished run: python train.py makes one")
    log.info("%d runs, results in %s", len(found.runs), folder)
    with job.loggers(cfg, folder, "analyze") as loggers:
        text = OmegaConf.to_yaml(cfg, resolve=True)
        write_text(folder / "config.yaml", text)
        options = config.plain(cfg.study) | places(cfg)
        findings = STUDIES[cfg.study.name](found, partial(seen_of, cfg), options)
        write_findings(findings, folder)
        versions = {name: version(name) for name in PROGRAMS}
        versions["Python"] = platform.python_version()
        report = write_report(folder, findings, versions, {"analyze.py": text})
        log_findings(loggers, findings, report)
        log.info("open %s", report)
        write_text(folder / "results.txt", say(findings))
