"""The split points that a composed config stands for: no data is read, nothing is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn

from isplit import config
from isplit.backbones import build_backbone, friendly_names
from isplit.backbones.layout import IMAGENET_PX
from isplit.graph import split_points, trace
from isplit.importance import is_rule, select
from isplit.importance.curve import Curve
from isplit.overrides import is_plain
from isplit.point import SplitPoint

ANY_NUMBER_OF_CLASSES = 10  # changes the last layer alone


def points_of(cfg: DictConfig) -> list[SplitPoint]:
    """Every split point of the model of ``cfg`` on its images, from the input on.

    Raises:
        ValueError: there is no such model, it does not run on such images, or cannot be traced.
    """
    size = cfg.data.image_size
    traced = trace(_untrained(cfg), torch.zeros(2, 3, size, size))
    return friendly_names(
        config.architecture(cfg), split_points(traced, cfg.split.granularity, cfg.split.channels)
    )


def points_asked(cfg: DictConfig, points: list[SplitPoint]) -> list[SplitPoint]:
    """The points that ``split.layer`` names, or that it may choose from, within the limits.

    Rules (``auto``, ``top:3`` ...) choose by a curve, not known before the baseline is trained.

    Args:
        points: of the model.

    Raises:
        ValueError: no such point, or the limits exclude it or all.
    """
    layer = config.plain(cfg.split.layer)
    by_curve = [one for one in (layer if isinstance(layer, list) else [layer]) if is_rule(one)]
    depth = Curve("depth", tuple(points), tuple(float(point.index) for point in points))
    return select(depth, "all" if by_curve else layer, config.limits(cfg), config.rate_of(cfg))


def layer_key(point: SplitPoint) -> str | int:
    """What ``split.layer`` calls the point, on a command line and in YAML alike.

    That is its name, or its index where the name would be read as something else.

    >>> from dataclasses import replace
    >>> point = SplitPoint(3, "features.9", (1,), "", 0, 0, 0, aliases=("block1_pool",))
    >>> layer_key(point), layer_key(replace(point, name="1.0", aliases=()))
    ('block1_pool', 3)
    """
    return point.label if is_plain(point.label) and not is_rule(point.label) else point.index


def _untrained(cfg: DictConfig) -> nn.Module:
    """The model in the layout it will have in a job, without fetching published weights."""
    keys: dict[str, Any] = config.plain(cfg.model)
    if "net" in keys:
        net: nn.Module = instantiate(keys["net"])
        return net
    if keys.get("weights") is not None and not Path(keys["weights"]).exists():
        published_px = max(IMAGENET_PX, cfg.data.image_size)
        return build_backbone(
            **keys | {"weights": None}, num_classes=ANY_NUMBER_OF_CLASSES, image_size=published_px
        )
    return build_backbone(**keys, num_classes=ANY_NUMBER_OF_CLASSES, image_size=cfg.data.image_size)
