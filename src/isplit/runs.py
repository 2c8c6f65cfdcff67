"""``train(cfg)``: from a config to results, the whole story in order.

::

    data, net -> baseline -> trace -> split points -> curve -> select
                                                                 |  for each chosen point
          result.json <- finetune <- autoencoder <- head | bottleneck | tail
"""

from __future__ import annotations

import copy
import hashlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from hydra.errors import HydraException
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import fx

from isplit import config, stages
from isplit.artifact import Manifest
from isplit.backbones import friendly_names
from isplit.bottleneck import make_bottleneck
from isplit.files import write_text
from isplit.graph import split_at, split_points, trace
from isplit.importance import RULES, importance_curves, select
from isplit.model import SplitModel
from isplit.outputs import conclude, split_result, write_curve, write_split
from isplit.stages import Made, Store, Stored, Workbench, derived_seed, seeded
from isplit.tracking import log_result
from isplit.types import Curve, SplitPoint, SplitResult

log = logging.getLogger(__name__)

USER_ERRORS = (  # what a user can mend: values, files, what Lightning and Hydra refuse
    ValueError,
    OSError,
    MisconfigurationException,
    HydraException,
    OmegaConfBaseException,
)
INTERRUPTED = 130  # exit status of a program stopped with Ctrl-C


def train(cfg: DictConfig) -> list[SplitResult]:
    """The results of one job, one for each split point that ``split.layer`` stands for.

    Everything lands in ``paths.output``: a result in the folder itself, or, when there are
    several, each in a folder named after its point. ``result.json`` comes last.
    """
    config.check(cfg)
    folder = Path(cfg.paths.output)
    with _sole_job_in(folder), config.loggers(cfg, folder) as loggers:
        write_text(folder / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))
        bench = _workbench(cfg, loggers)
        base = _baseline(cfg, bench)
        curve = _curve(cfg, bench, base)
        chosen = _select(cfg, curve, config.plain(cfg.split.layer))
        write_curve(curve, chosen, folder)
        results: list[SplitResult] = []
        for point in chosen:
            log.info("split at %s (%d of %d)", point.label, len(results) + 1, len(chosen))
            place = folder if len(chosen) == 1 else folder / f"{point.index:02d}-{point.label}"
            results.append(_split(cfg, bench, base, curve, point, place))
            log_result(loggers, results[-1], f"{point.label}/" if len(chosen) > 1 else "")
        conclude(curve, results, folder)
        bench.store.finish_job({"output": str(folder), "splits": [p.name for p in chosen]})
        log.info("open %s, the numbers are beside it", folder / "curve.png")
    return results


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


@dataclass(frozen=True)
class _Base:
    """The trained unsplit model: arguments, stage, traced graph and its split points."""

    keys: dict[str, Any]
    stored: Stored
    traced: fx.GraphModule
    points: list[SplitPoint]


def _workbench(cfg: DictConfig, loggers: Sequence[Logger]) -> Workbench:
    store = Store(Path(cfg.paths.store), config.identity(cfg))
    data = config.build_data(cfg)
    engine = config.engine(cfg, loggers)
    memory = int(cfg.stage.feature_memory_gb * 2**30)
    return Workbench(data, store, engine, cfg.seed, memory)


def _baseline(cfg: DictConfig, bench: Workbench) -> _Base:
    """The unsplit model, trained or from the store, and where it can be split."""
    keys = config.model_keys(cfg, bench.data)
    with seeded(cfg.seed, "model"):
        net = config.build_model(keys)
    size = bench.data.image_size
    traced = trace(net, torch.zeros(2, 3, size, size))
    points = friendly_names(config.architecture(cfg), split_points(traced, cfg.split.granularity))
    _refuse_hopeless(cfg, bench, points)
    recipe = config.baseline_recipe(cfg, net)
    description = config.model_description(keys) | {
        "trains": cfg.stage.baseline.trains,
        "code": hashlib.sha256(f"{net}\n{traced.code}".encode()).hexdigest(),  # may be edited
    }
    stored = stages.baseline(bench, net, description, recipe)
    net.requires_grad_(True)
    return _Base(keys, stored, traced, points)


def _refuse_hopeless(cfg: DictConfig, bench: Workbench, points: Sequence[SplitPoint]) -> None:
    """Say before anything is trained that a layer or class is unknown, or limits exclude it."""
    any_curve = Curve("depth", tuple(points), tuple(float(point.index) for point in points))
    _select(cfg, any_curve, config.plain(cfg.split.layer))
    bench.data.loader("validation", 1, classes=config.plain(cfg.split.classes))


def _curve(cfg: DictConfig, bench: Workbench, base: _Base) -> Curve:
    """The curve that ranks the split points, computed or from the store."""
    kind, settings = cfg.split.kind, config.cui_settings(cfg)
    classes = config.plain(cfg.split.classes)

    def make(folder: Path) -> Made:
        batches = bench.data.loader(
            "validation",
            cfg.split.batch_size,
            images=cfg.split.images,
            classes=classes,
            seed=cfg.seed,
        )
        traced = copy.deepcopy(base.traced).to(bench.engine.device)
        names = bench.data.class_names
        curve = importance_curves(traced, base.points, batches, names, [kind], settings)[kind]
        facts = asdict(curve)
        del facts["points"]
        return Made({}, facts)

    recipe = {
        "stage": "curve",
        "kind": kind,
        "settings": asdict(settings),
        "baseline": base.stored.fingerprint,
        "points": [point.node for point in base.points],
        "images": cfg.split.images,
        "batch_size": cfg.split.batch_size,
        "classes": classes,
        "seed": cfg.seed,
    }
    facts = bench.store.get_or_make("curve", recipe, make).made.facts
    return Curve(
        kind=facts["kind"],
        points=tuple(base.points),
        values=tuple(facts["values"]),
        per_class={name: tuple(values) for name, values in facts["per_class"].items()},
        num_images=facts["num_images"],
        marked=None if facts["marked"] is None else tuple(facts["marked"]),
    )


def _select(cfg: DictConfig, curve: Curve, layer: str | int | list[str | int]) -> list[SplitPoint]:
    return select(curve, layer, config.limits(cfg), config.rate_of(cfg))


def _chosen_by(cfg: DictConfig, curve: Curve, point: SplitPoint) -> str:
    """``cui:auto`` and the like if a rule of ``split.layer`` gives the point, else ``user``."""
    layer = config.plain(cfg.split.layer)
    asked = layer if isinstance(layer, list) else [layer]
    rules = [rule for rule in RULES if rule in asked and point in _select(cfg, curve, rule)]
    return f"{curve.kind}:{rules[0]}" if rules else "user"


def _split(
    cfg: DictConfig, bench: Workbench, base: _Base, curve: Curve, point: SplitPoint, folder: Path
) -> SplitResult:
    """Cut at one point, train the bottleneck, then the whole; everything written to ``folder``."""
    rate = config.rate_of(cfg)(point)
    bench = _repeated(cfg, bench)
    head, tail = split_at(copy.deepcopy(base.traced), point)
    with seeded(bench.seed, "bottleneck", point.node):
        split = SplitModel(head, make_bottleneck(point, rate), tail)
    encoded = stages.autoencoder(
        bench, split, point, base.stored, config.recipe(cfg, "autoencoder")
    )
    tuned = stages.finetune(bench, split, encoded, config.recipe(cfg, "finetune"))
    done = {"baseline": base.stored, "autoencoder": encoded, "finetune": tuned}
    result = split_result(
        model=config.architecture(cfg),
        data=bench.data,
        seed=cfg.seed,
        curve=curve,
        point=point,
        chosen_by=_chosen_by(cfg, curve, point),
        compression_rate=rate,
        split=split,
        done=done,
    )
    manifest = _manifest(cfg, bench, base, point, rate)
    write_split(result, split, manifest, bench.data.labels("test"), done, folder)
    return result


def _repeated(cfg: DictConfig, bench: Workbench) -> Workbench:
    """The workbench with the random numbers of another training on the same baseline."""
    return replace(bench, seed=derived_seed(cfg.seed, cfg.repeat)) if cfg.repeat else bench


def _manifest(
    cfg: DictConfig, bench: Workbench, base: _Base, point: SplitPoint, rate: float
) -> Manifest:
    return Manifest(
        model=base.keys | {"weights": None},
        layer=point.name,
        granularity=cfg.split.granularity,
        compression_rate=rate,
        class_names=bench.data.class_names,
        image_size=bench.data.image_size,
        mean=bench.data.preparation.mean,
        std=bench.data.preparation.std,
    )


@contextmanager
def _sole_job_in(folder: Path) -> Iterator[None]:
    """Hold the output folder.

    Raises:
        ValueError: another job that is running writes there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise ValueError(
            f"another job is running in hydra.run.dir={folder}: give this one a folder of its own"
        ) from error
