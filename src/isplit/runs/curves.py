"""Every curve an analysis asks for, of a baseline that earlier jobs left in the store."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from isplit import config
from isplit.bottleneck import RateOf
from isplit.importance import CuiSettings, architecture_curves, predictor_cost
from isplit.importance.heatmaps import has_map, heat_maps, overlays
from isplit.runs.base import Base, curves_of, reopen_baseline, workbench
from isplit.stages import Workbench
from isplit.studies.collect import Run
from isplit.studies.seen import Pictures, Seen
from isplit.types import Curve, PredictorCost

log = logging.getLogger(__name__)

PICTURED_POINTS = 18  # heat maps side by side

Found = tuple[dict[str, Curve], dict[str, PredictorCost], list[str]]
"""Curves by name, their costs, and what is missing, in words."""


@dataclass(frozen=True)
class Reopened:
    """What a job worked with, for an analysis to go on from.

    Attributes:
        job: its config, with the curve that the study asks for in the place of its own.
    """

    job: DictConfig
    bench: Workbench
    base: Base

    @property
    def rate_of(self) -> RateOf:
        """The compression rate at each point."""
        return config.rate_of(self.job)


def reopened(cfg: DictConfig, run: Run) -> Reopened:
    """Data and trained baseline of a run.

    Raises:
        ValueError: the baseline is not in the store.
        FileNotFoundError: the images are not where the run found them.
    """
    job = _job_of(cfg, run)
    bench = workbench(job)
    key = run.result.stages["baseline"].fingerprint
    return Reopened(job, bench, reopen_baseline(job, bench, key))


def reopened_or_why_not(cfg: DictConfig, run: Run) -> Reopened | str:
    """The same; or, where something is gone, what it is."""
    try:
        return reopened(cfg, run)
    except (ValueError, OSError) as error:
        return str(error)


def seen_of(cfg: DictConfig, run: Run) -> Seen:
    """The study's curves for the condition of ``run``, and pictures where they can be made."""
    ready = reopened_or_why_not(cfg, run)
    curves, costs, missing = curves_and_costs(cfg, run, ready)
    pictures = pictures_of(cfg, ready) if isinstance(ready, Reopened) else None
    return Seen(curves, costs, missing, pictures)


def curves_and_costs(cfg: DictConfig, run: Run, ready: Reopened | str) -> Found:
    """The study's curves for the condition of ``run``.

    Args:
        ready: what to compute them with; or the reason why that is gone, and then the curve of the
            run itself and what the architecture says remain.
    """
    kinds = list(cfg.study.predictors)
    missing = []
    if isinstance(ready, Reopened):
        curves = dict(_computed(cfg, ready))
    else:
        curves = {run.curve.kind: run.curve} | architecture_curves(run.curve.points, kinds)
        missing = [f"no {', '.join(k for k in kinds if k not in curves)} here: {ready}"]
    costs = {
        name: predictor_cost(curve.kind, curve.points, curve.num_images)
        for name, curve in curves.items()
    }
    return curves, costs, missing


def pictures_of(cfg: DictConfig, ready: Reopened) -> Pictures | None:
    """Some test images under the heat maps of their own class; ``None`` where there are no maps."""
    points = [point for point in ready.base.points if has_map(point)]
    if not cfg.study.get("heat_maps") or not points:
        return None
    data, count = ready.bench.data, int(cfg.study.heat_maps)
    points = points[:: -(-len(points) // PICTURED_POINTS)]
    images, labels = next(iter(data.loader("test", count, images=count, seed=ready.job.seed)))
    maps = heat_maps(ready.base.traced, points, images, labels)
    seen = (images * _channels(data.preparation.std) + _channels(data.preparation.mean)).clamp(0, 1)
    seen_NHW3 = seen.permute(0, 2, 3, 1).numpy()
    names = [data.class_names[label] for label in labels.tolist()]
    return Pictures(overlays(seen_NHW3, maps), points, (seen_NHW3 * 255).astype("uint8"), names)


def _channels(values: Sequence[float]) -> Tensor:
    return torch.tensor(values)[:, None, None]


def _computed(cfg: DictConfig, ready: Reopened) -> Iterator[tuple[str, Curve]]:
    """Each curve under its name: the kinds, reductions of the CUI, those of the untrained net."""
    job, bench, base = ready.job, ready.bench, ready.base
    yield from curves_of(job, bench, base, list(cfg.study.predictors)).items()
    for reduction in config.plain(cfg.study.reductions):
        reduced = _merged(job, {"split": {"cui": reduction}})
        yield _name("cui", reduction), curves_of(reduced, bench, base, ["cui"])["cui"]
    if cfg.study.untrained:
        kinds = list(cfg.study.untrained)
        untrained = reopen_baseline(job, bench, base.stored.fingerprint, trained=False)
        for kind, curve in curves_of(job, bench, untrained, kinds).items():
            yield f"random:{kind}", curve


def _job_of(cfg: DictConfig, run: Run) -> DictConfig:
    """The config of the run's job, its curve replaced by what the study asks for."""
    study = {"images": cfg.study.images, "batch_size": cfg.study.batch_size, "classes": None}
    here: dict[str, Any] = {
        "split": study | {"cui": asdict(CuiSettings())},
        "paths": {"store": cfg.paths.store, "cache": cfg.paths.cache},
        "trainer": {"threads": cfg.threads, "progress": "none"},
    }
    if cfg.study.data_root is not None:
        here["data"] = {"root": cfg.study.data_root}
    return _merged(OmegaConf.create(dict(run.config)), here)


def _merged(cfg: DictConfig, changes: Mapping[str, Any]) -> DictConfig:
    merged = OmegaConf.merge(cfg, dict(changes))
    assert isinstance(merged, DictConfig)
    return merged


def _name(kind: str, reduction: Mapping[str, Any]) -> str:
    """``cui(channels=sum)``."""
    return f"{kind}({', '.join(f'{key}={value}' for key, value in reduction.items())})"
