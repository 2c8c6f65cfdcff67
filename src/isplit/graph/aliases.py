"""The papers' names of VGG's layers: ``block3_pool`` beside ``features.16``."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torchvision.models.vgg import cfgs as plans

from isplit.point import SplitPoint

PLANS = {"vgg11": plans["A"], "vgg13": plans["B"], "vgg16": plans["D"], "vgg19": plans["E"]}


def with_aliases(architecture: str, points: Sequence[SplitPoint]) -> list[SplitPoint]:
    """The points of a VGG with the papers' names as aliases; those of another model as they are."""
    plan = PLANS.get(architecture.removesuffix("_bn"))
    if plan is None or not points:
        return list(points)
    tables = [dict(_vgg_layers(plan, batch_norm)) for batch_norm in (False, True)]
    names = {point.name for point in points}
    aliases = max(tables, key=lambda table: (len(names & set(table)), max(table) in names))
    return [_with_alias(point, aliases.get(point.name)) for point in points]


def _with_alias(point: SplitPoint, alias: str | None) -> SplitPoint:
    return point if alias is None else replace(point, aliases=(alias, *point.aliases))


def _vgg_layers(plan: Sequence[int | str], batch_norm: bool) -> Iterator[tuple[str, str]]:
    """(path of the layer's last module, paper's name); a convolution ends with its ReLU.

    >>> list(_vgg_layers([64, "M", 128], batch_norm=False))
    [('features.1', 'block1_conv1'), ('features.2', 'block1_pool'), ('features.4', 'block2_conv1')]
    """
    block, conv, last = 1, 0, -1
    for width in plan:
        if width == "M":
            last += 1
            yield f"features.{last}", f"block{block}_pool"
            block, conv = block + 1, 0
        else:
            conv, last = conv + 1, last + (3 if batch_norm else 2)
            yield f"features.{last}", f"block{block}_conv{conv}"
