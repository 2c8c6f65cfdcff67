"""Every curve an analysis asks for, of a baseline that earlier jobs left in the store."""

from collections.abc import Iterator
from dataclasses import replace

from omegaconf import DictConfig

from isplit import config
from isplit.importance import PREDICTORS, architecture_curves, predictor_cost
from isplit.importance.curve import Curve, PredictorCost, called
from isplit.importance.heatmaps import has_map, heat_maps, overlays
from isplit.runs.base import CURVE_BATCH, Base, curves_of
from isplit.runs.reopened import merged, reopen_baseline, reopened_or_why_not
from isplit.runs.sides import sides_of
from isplit.stages.cut_net import CutNet
from isplit.studies.collect import why
from isplit.studies.run_folder import Run
from isplit.studies.seen import Pictures, Seen

PICTURED_POINTS = 18  # heat maps side by side

Found = tuple[dict[str, Curve], dict[str, PredictorCost], list[str]]
"""Curves by name, their costs, and what is missing, in words."""


def seen_of(cfg: DictConfig, run: Run) -> Seen:
    """The study's curves for the condition of ``run``, and pictures; or, of no curves, the net."""
    ready = reopened_or_why_not(cfg, run)
    if "predictors" not in cfg.study:
        if isinstance(ready, str):
            return Seen({}, left_out=[ready])
        bench = ready.bench
        at_once = bench.at_once(cfg.study.batch_size, CURVE_BATCH)
        net = CutNet(ready.traced, ready.points, bench.data, at_once, bench.engine.device)
        return Seen({}, net=net)
    curves, costs, missing = curves_and_costs(cfg, run, ready)
    if isinstance(ready, str):
        return Seen(curves, costs, missing)
    sides = sides_of(cfg, ready) if cfg.study.get("image") else None
    return Seen(curves, costs, missing, pictures_of(cfg, ready), sides)


def curves_and_costs(cfg: DictConfig, run: Run, ready: Base | str) -> Found:
    """The study's curves for the condition of ``run``.

    Args:
        ready: what to compute them with; or the reason why that is gone, and then the curve of the
            run itself and what the architecture says remain.
    """
    kinds = list(cfg.study.predictors)
    curves, missing = {}, []
    if isinstance(ready, Base) and not (kinds or cfg.study.reductions or cfg.study.untrained):
        return {}, {}, []
    if isinstance(ready, Base):
        try:
            curves = dict(_computed(cfg, ready))
            missing = config.not_compressed(ready.cfg, ready.points)
            if absent := [kind for kind in kinds if kind not in curves]:
                missing.append(f"no {', '.join(absent)}: there is no bottleneck to judge")
        except Exception as error:  # of this condition; the others go on
            ready = why(error)
    if not isinstance(ready, Base):
        curves = {run.ranked_by: run.curve} | architecture_curves(run.curve.points, kinds)
        gone = ", ".join(kind for kind in kinds if kind not in curves)
        missing = [f"no {gone} here: {ready}" if gone else ready]
    costs = {
        name: predictor_cost(curve.kind, curve.points, curve.num_images)
        for name, curve in curves.items()
        if curve.kind in PREDICTORS
    }
    return curves, costs, missing


def pictures_of(cfg: DictConfig, ready: Base) -> Pictures | None:
    """Some test images under the heat maps of their own class; ``None`` where there are no maps."""
    points = [point for point in ready.points if has_map(point)]
    if not cfg.study.get("heat_maps") or not points:
        return None
    data, count = ready.bench.data, int(cfg.study.heat_maps)
    points = points[:: -(-len(points) // PICTURED_POINTS)]
    images, labels = next(iter(data.loader("test", count, images=count, seed=ready.cfg.seed)))
    maps = heat_maps(ready.traced, points, images, labels)
    seen_NHW3 = data.preparation.pixels(images).permute(0, 2, 3, 1).numpy()
    names = [data.class_names[label] for label in labels.tolist()]
    return Pictures(overlays((seen_NHW3 / 255).astype("float32"), maps), points, seen_NHW3, names)


def _computed(cfg: DictConfig, ready: Base) -> Iterator[tuple[str, Curve]]:
    """Each curve under its name: the kinds, reductions of the CUI, those of the untrained net."""
    yield from curves_of(ready, list(cfg.study.predictors)).items()
    for reduction in config.plain(cfg.study.reductions):
        reduced = replace(ready, cfg=merged(ready.cfg, {"split": {"cui": reduction}}))
        yield called("cui", reduction), curves_of(reduced, ["cui"])["cui"]
    if cfg.study.untrained:
        untrained = reopen_baseline(ready.cfg, ready.bench, ready.stored, trained=False)
        for kind, curve in curves_of(untrained, list(cfg.study.untrained)).items():
            yield f"random:{kind}", curve
