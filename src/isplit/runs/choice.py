"""Which points ``split.layer`` stands for, within the limits of ``split``, and how they came."""

from collections.abc import Sequence

from omegaconf import DictConfig

from isplit import config
from isplit.bottleneck import sent_shape
from isplit.importance import auto_rule, depends_on_rate, is_rule, select
from isplit.importance.curve import Curve
from isplit.importance.curves import depth
from isplit.point import SplitPoint
from isplit.search import constants_of

SEARCH = "search"


def selected(cfg: DictConfig, curve: Curve, layer: str | int | list[str | int]) -> list[SplitPoint]:
    """The points that ``layer`` stands for, within the limits of ``cfg.split``."""
    return select(curve, layer, config.limits(cfg), config.rate_of(cfg))


def rules_in(cfg: DictConfig) -> list[str]:
    """What ``split.layer`` asks for by a rule, not by a name or index."""
    layer = config.plain(cfg.split.layer)
    return [one for one in (layer if isinstance(layer, list) else [layer]) if is_rule(one)]


def chosen_by(cfg: DictConfig, curve: Curve, point: SplitPoint) -> str:
    """``cui:peak`` and the like if a rule of ``split.layer`` gives the point, else ``user``."""
    rules = [rule for rule in rules_in(cfg) if point in selected(cfg, curve, rule)]
    named = {"auto": auto_rule(curve.kind)}
    return f"{curve.kind}:{named.get(rules[0], rules[0])}" if rules else "user"


def refuse_hopeless(cfg: DictConfig, points: Sequence[SplitPoint]) -> None:
    """Say before anything is trained that a layer is unknown, or that limits exclude it.

    Raises:
        ValueError: says which key, and why.
    """
    layer, is_bottleneck = config.plain(cfg.split.layer), cfg.bottleneck.compression_rate != 0
    if depends_on_rate(cfg.split.kind) and not is_bottleneck:
        raise ValueError(f"split.kind={cfg.split.kind} judges bottlenecks, and there is none")
    if isinstance(layer, list) and SEARCH in layer:
        raise ValueError(f"split.layer={layer}: search stands by itself, in no list")
    if layer == SEARCH and not is_bottleneck:
        raise ValueError("split.layer=search expects what a bottleneck loses, and there is none")
    if layer == SEARCH:
        constants_of(cfg.split.kind)
    for point in selected(cfg, depth(points), layer):  # by any curve
        config.limits(cfg).sent_bytes(sent_shape(point, config.rate_of(cfg)(point)))
