"""What every job on a model begins with: data, trained baseline, split points, curve."""

import copy
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig
from pydantic import TypeAdapter
from torch import fx, nn

from isplit import config, job, stages
from isplit.graph import split_points, trace, with_aliases
from isplit.importance import computed_by, depends_on_rate, importance_curves
from isplit.importance.curve import Curve
from isplit.point import SplitPoint
from isplit.runs.choice import refuse_hopeless
from isplit.runs.unsplit import weights_made_elsewhere
from isplit.stages import Made, Store, Stored, Team, Workbench, seeded, source_hash

log = logging.getLogger(__name__)

CURVE_BATCH = 64  # images


@dataclass(frozen=True)
class Base:
    """The unsplit model of a job: its arguments, its stage, its traced graph, its split points.

    Attributes:
        cfg: of the job; of an earlier one with what an analysis asks for in the place of its own.
        untrained: what a curve's recipe notes of weights that are not those of the stage.
    """

    cfg: DictConfig
    bench: Workbench
    keys: dict[str, Any]
    stored: Stored
    traced: fx.GraphModule
    points: list[SplitPoint]
    untrained: Mapping[str, Any] = field(default_factory=dict)


def workbench(
    cfg: DictConfig, loggers: Sequence[Logger] = (), team: Team | None = None
) -> Workbench:
    """Data, store and engine of a job."""
    store = Store(config.store_folder(cfg), config.identity(cfg), team)
    data = config.build_data(cfg)
    engine = job.engine(cfg, loggers, team)
    memory = int(cfg.stage.feature_memory_gb * 2**30)
    batch = cfg.stage.get("evaluation_batch_size", "auto")  # older runs have none
    return Workbench(data, store, engine, cfg.seed, memory, batch)


def open_baseline(cfg: DictConfig, bench: Workbench) -> Base:
    """The unsplit model, trained or from the store, and where it can be split."""
    keys = config.model_keys(cfg, bench.data)
    net, traced, points = untrained(cfg, bench, keys)
    refuse_hopeless(cfg, points)
    # refuses unknown classes before anything is trained
    bench.data.loader("validation", 1, classes=config.plain(cfg.split.classes))
    origin, trained = weights_made_elsewhere(bench, net, traced, keys)
    trainable = [p for p in net.parameters() if p.requires_grad]  # what is fixed stays so
    recipe = config.baseline_recipe(cfg, net, trained)
    description = description_of(cfg, keys) | origin | {"code": code_of(net, traced)}
    stored = stages.baseline(bench, net, description, recipe)
    for parameter in trainable:
        parameter.requires_grad_(True)
    if (accuracy := stored.made.facts.get("validation_accuracy")) is not None:
        log.info("unsplit validation accuracy %.3f", accuracy)
    return Base(cfg, bench, keys, stored, traced_of(net, bench), points)


def untrained(
    cfg: DictConfig, bench: Workbench, keys: dict[str, Any]
) -> tuple[nn.Module, fx.GraphModule, list[SplitPoint]]:
    """The model, its trace and its split points."""
    with seeded(cfg.seed, "model"):
        net = config.build_model(keys)
    traced, split = traced_of(net, bench), cfg.split
    points = split_points(traced, split.granularity, split.get("channels"))
    for point in points:
        _ = point.channel_axis  # asks for split.channels where it is not known
    points = with_aliases(config.architecture(cfg), points)
    for line in config.not_compressed(cfg, points):
        log.warning("%s", line)
    return net, traced, points


def traced_of(net: nn.Module, bench: Workbench) -> fx.GraphModule:
    """The graph of a net as it is now: what is measured and split answers as the net does."""
    size = bench.data.image_size
    return trace(net, torch.zeros(2, 3, size, size))


def description_of(cfg: DictConfig, keys: dict[str, Any]) -> dict[str, Any]:
    """What decides how the net began, but for its code."""
    return config.model_description(keys) | {"trains": cfg.stage.baseline.trains}


def code_of(net: nn.Module, traced: fx.GraphModule) -> str:
    """Of the user's own net, which may be edited."""
    return hashlib.sha256(f"{net}\n{traced.code}".encode()).hexdigest()


def curve_of(base: Base) -> Curve:
    """The curve that ranks the split points, computed or from the store."""
    kind = base.cfg.split.kind
    return curves_of(base, [kind])[kind]


def curves_of(base: Base, kinds: Sequence[str]) -> dict[str, Curve]:
    """Curves that share what passes they can, computed or from the store.

    Without a bottleneck there are none of the kinds that judge one.
    """
    cfg, bench, split = base.cfg, base.bench, base.cfg.split
    if cfg.bottleneck.compression_rate == 0:
        kinds = [kind for kind in kinds if not depends_on_rate(kind)]
    settings, rate_of = config.cui_settings(cfg), config.curve_rate_of(cfg)
    choice = {"images": split.images, "classes": config.plain(split.classes), "seed": cfg.seed}
    images = len(bench.data.loader("validation", 1, **choice))
    least = bench.at_once(split.batch_size, CURVE_BATCH)
    batch_size = next(n for n in count(least) if images == 1 or images % n != 1)  # leaves none out

    def make(folder: Path) -> Made:
        # shuffled, else a batch may hold one class, and BatchNorms see a strange world
        batches = bench.data.loader("validation", batch_size, shuffle=True, **choice)
        traced = copy.deepcopy(base.traced).to(bench.engine.device)
        seen = (traced, base.points, batches, bench.data.class_names)
        curves = importance_curves(*seen, kinds, settings, rate_of=rate_of)
        return Made({}, {kind: asdict(curve) | {"points": []} for kind, curve in curves.items()})

    recipe = {
        "stage": "curve",
        "code": source_hash(computed_by(kinds)),
        "kinds": list(kinds),
        "settings": asdict(settings),
        "baseline": base.stored.fingerprint,
        "points": [(point.node, point.channels_last) for point in base.points],
        "batch_size": batch_size,
        **choice,
        **base.untrained,
    }
    if any(depends_on_rate(kind) for kind in kinds):
        recipe["rates"] = [rate_of(point) for point in base.points]
    facts = bench.store.get_or_make("curve", recipe, make).made.facts
    points = {"points": tuple(base.points)}
    return {kind: TypeAdapter(Curve).validate_python(facts[kind] | points) for kind in kinds}
