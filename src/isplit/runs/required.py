"""What an application asks of a frame, while a search chooses which split points to train."""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from omegaconf import DictConfig

from isplit import config
from isplit.documents import read_yaml
from isplit.graph.measure import split_work, total_work
from isplit.importance.curve import Curve
from isplit.keys import conf_folder
from isplit.point import SplitPoint
from isplit.requirements import cost, misses
from isplit.runs.base import Base
from isplit.runs.search import Search
from isplit.runs.sides import coded_at
from isplit.studies.latency.designs import of_split
from isplit.studies.latency.places import Places, anchored, places_of
from isplit.studies.latency.splits import Split
from isplit.studies.seen import Sent

log = logging.getLogger(__name__)
PLACES = ("device", "channel", "requirement")


def places(cfg: DictConfig) -> dict[str, Any]:
    """Device, server, channel and requirement as the user gave them."""
    return {key: config.plain(cfg.get(key)) for key in PLACES} | {"server": config.server(cfg)}


def refuse_requirement(cfg: DictConfig) -> None:
    """Refuse a requirement where nothing would hold to it.

    Raises:
        ValueError: no search, or a codec, whose bytes are not known before a training.
    """
    if not _asked(cfg):
        return
    layer, said = config.plain(cfg.split.layer), f"requirement={_asked(cfg)}"
    if layer != "search":
        raise ValueError(
            f"{said} is for split.layer=search, and split.layer={layer!r}; of finished runs "
            "python analyze.py study=latency tells what they meet"
        )
    if cfg.codec.name != "none":
        raise ValueError(f"{said} needs codec=none: bytes of {cfg.codec.name} are not known yet")
    _where(cfg)


def search_among(base: Base, curve: Curve, points: Sequence[SplitPoint]) -> Search:
    """The search that ``split.layer=search`` stands for, among those that meet the requirement.

    Raises:
        ValueError: no point meets the requirement; what each misses is logged.
    """
    cfg = base.cfg
    search = Search(curve, base.stored, cfg.split.get("budget", 3), points)
    if not _asked(cfg):
        return search
    where = anchored(_where(cfg), config.plain(cfg), total_work(base.traced))
    asked, kept, costs = where.requirement, [], {}
    parts, rate_of = split_work(base.traced, curve.points), config.rate_of(cfg)
    for point in points:
        coded = coded_at(point, rate_of(point))
        split = Split(point.index, Sent("float32", 0.0, coded.cost.payload_bytes), coded)
        design = of_split(split, curve.points, parts, where).design
        if missed := misses(design, replace(asked, accuracy=None)):
            log.info("left out: %s: %s", point.label, ", ".join(map(str, missed)))
            continue
        kept.append(point)
        if asked.ranked_by != "accuracy":
            costs[point.index] = cost(design, asked.ranked_by)
    if not kept:
        raise ValueError(f"requirement={_asked(cfg)}: no split point can meet it")
    if math.inf in costs.values():
        raise ValueError(f"requirement.prefer={asked.ranked_by}: not known of every split point")
    return replace(search, candidates=kept, accuracy=asked.accuracy, costs=costs)


def _where(cfg: DictConfig) -> Places:
    study = read_yaml(conf_folder() / "study" / "latency.yaml")
    return places_of(study | places(cfg))


def _asked(cfg: DictConfig) -> dict[str, Any]:
    return {key: value for key, value in config.plain(cfg.requirement).items() if value is not None}
