"""List the split points of a model; no data is read, nothing is trained.

isplit points resnet50
isplit points model=vgg16_small split.granularity=all --json points.json

A bare word is a classifier of torchvision, at 224 pixels; key=value is as after isplit train.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn

from isplit import config
from isplit.backbones import build_backbone
from isplit.backbones.architecture import IMAGENET_PX
from isplit.files import write_json
from isplit.graph import split_points, trace, with_aliases
from isplit.importance import is_rule
from isplit.importance.curves import depth
from isplit.keys import checked, composed, conf_folder, one_line, own_choices
from isplit.keys.words import is_plain
from isplit.point import SplitPoint
from isplit.report.findings import Findings
from isplit.report.screen import say
from isplit.report.table import Table, columns_of
from isplit.runs.choice import rules_in, selected

ANY_NUMBER_OF_CLASSES = 1000  # changes the last layer alone


def main(arguments: Sequence[str]) -> int:
    """Print the split points; the exit status."""
    parser = argparse.ArgumentParser(prog="isplit points", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("words", nargs="+", metavar="MODEL|key=value")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write what is printed there")
    parser.add_argument("--config-dir", metavar="FOLDER", help="with files of your own to choose")
    given = parser.parse_intermixed_args(arguments)
    words = [word for word in given.words if "=" in word]
    named = [f"model.arch={word}" for word in given.words if "=" not in word]
    if len(named) > 1:
        parser.error(f"{', '.join(named)}: one model at a time")
    chosen = ["model=torchvision", f"data.image_size={IMAGENET_PX}", *named] if named else []
    try:
        words = [*chosen, *words, *own_choices(given.config_dir)]
        cfg = checked(composed("train", words, conf_folder()))
        points = points_of(cfg)
        rows = [asdict(point) | {"feature_bytes": point.feature_bytes} for point in points]
        if given.json:
            about = {"model": config.architecture(cfg), "image_size": cfg.data.image_size}
            write_json(given.json, {**about, "points": rows})
    except (ValueError, OSError) as error:
        parser.error(str(error))
    title = f"{len(points)} split points of {config.architecture(cfg)} at {cfg.data.image_size} px"
    shown = [
        row | {"aliases": " ".join(point.aliases), "shape": "x".join(map(str, point.shape))}
        for row, point in zip(rows, points, strict=True)
    ]
    say(Findings("points", tables=[Table(title, columns_of("points"), shown, on_screen=True)]))
    return 0


def points_of(cfg: DictConfig) -> list[SplitPoint]:
    """Every split point of the model of ``cfg`` on its images, from the input on.

    Raises:
        ValueError: there is no such model, it does not run on such images, or cannot be traced.
    """
    size = cfg.data.image_size
    traced = trace(_untrained(cfg), torch.zeros(2, 3, size, size))
    return with_aliases(
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
    layer = "all" if rules_in(cfg) else config.plain(cfg.split.layer)
    return selected(cfg, depth(points), layer)


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
        with one_line():
            net: nn.Module = instantiate(keys["net"])
        return net
    size = cfg.data.image_size
    if keys.get("weights") is not None and not Path(keys["weights"]).exists():
        keys["weights"], size = None, max(IMAGENET_PX, size)
    return build_backbone(**keys, num_classes=ANY_NUMBER_OF_CLASSES, image_size=size)
