"""The split points that a curve, a name and the limits of a device come to."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isplit.bottleneck import sent_shape
from isplit.importance.curve import Curve
from isplit.point import DEFAULT_RATE, FLOAT32_BYTES, RateOf, SplitPoint

RULES = ("auto", "best", "peak", "peaks", "all", "search")
TOP = re.compile(r"top:([1-9]\d*)")
READ_BY_PEAKS = ("cui", "gradient", "cde")
SAID = {"peak": "highest interior peak", "best": "highest value"}
"""What ``auto_rule`` gives, in words."""


def float32_bytes(shape: tuple[int, ...]) -> int:
    """What a tensor takes where no codec makes it smaller."""
    return FLOAT32_BYTES * math.prod(shape)


@dataclass(frozen=True)
class Limits:
    """What a split point may cost at most; ``None``: no limit. Config keys ``split.<name>``.

    Attributes:
        max_head_macs: multiply-accumulates of the head for one image.
        max_head_params: parameters of the head.
        max_code_bytes: what is sent of one image, at most.
        max_feature_bytes: the features of one image as float32.
        min_depth: smallest index of the point.
        max_depth: largest index of the point.
        sent_bytes: the most that a tensor of a shape takes when it is sent.
    """

    max_head_macs: int | None = None
    max_head_params: int | None = None
    max_code_bytes: int | None = None
    max_feature_bytes: int | None = None
    min_depth: int | None = None
    max_depth: int | None = None
    sent_bytes: Callable[[tuple[int, ...]], int] = float32_bytes

    def violations(self, point: SplitPoint, rate_of: RateOf) -> list[str]:
        """The limits that exclude ``point``, each with the numbers; empty if it is admissible."""
        try:
            sent = sent_shape(point, rate_of(point))
        except ValueError as error:
            return [str(error)]
        measures = {
            "max_head_macs": point.head_macs,
            "max_head_params": point.head_params,
            "max_feature_bytes": point.feature_bytes,
            "min_depth": point.index,
            "max_depth": point.index,
        }
        if self.max_code_bytes is not None:
            measures["max_code_bytes"] = self.sent_bytes(sent)
        found = []
        for limit, value in measures.items():
            bound = getattr(self, limit)
            if bound is not None and (value < bound if limit[:3] == "min" else value > bound):
                found.append(f"split.{limit}={bound} but it has {value}")
        return found


def select(
    curve: Curve,
    layer: str | int | Sequence[str | int],
    limits: Limits | None = None,
    rate_of: RateOf = DEFAULT_RATE,
    key: str = "split.layer",
) -> list[SplitPoint]:
    """The points that ``layer`` asks for and ``limits`` admit, from the input on.

    ``layer`` is a name, an alias, an index, one of the words below, or a list of any of these:

    - ``auto``: by the rule that the curve's predictor is recommended with (``auto_rule``).
    - ``best``: the highest admissible value. Of equal values the deeper wins, here and below.
    - ``peak``: the highest admissible peak of the curve (for CDE, whose values are minus the
      logarithm of the size: the smallest marked point). Without one, the highest admissible
      interior point; the first and the last point only when nothing else is admissible.
    - ``peaks``: every admissible peak; the point of ``peak`` when there is none.
    - ``top:3``: the three highest admissible values; likewise any other number.
    - ``all``: every admissible point; ``search``: the same, of which a search trains a few.

    Limits take points off the list of candidates, never out of the curve: a peak stays a peak when
    its neighbour is excluded.

    Args:
        key: what the user typed ``layer`` behind, for messages.

    Raises:
        ValueError: no such point; the point named is excluded, or all are (the message says by
            which limit, with the numbers).
    """
    limits = limits or Limits()
    if not isinstance(layer, str | int):
        chosen = {point for one in layer for point in select(curve, one, limits, rate_of, key)}
        return sorted(chosen, key=lambda point: point.index)
    if not is_rule(layer):
        return [_named(curve, layer, limits, rate_of, key)]
    return [curve.points[p] for p in taken(curve, str(layer), _admissible(curve, limits, rate_of))]


def is_rule(layer: object) -> bool:
    """Whether ``split.layer`` names a rule, and no point.

    >>> [is_rule(layer) for layer in ("auto", "top:3", "top:0", "block1_pool", 3)]
    [True, True, False, False, False]
    """
    return layer in RULES or (isinstance(layer, str) and TOP.fullmatch(layer) is not None)


def auto_rule(kind: str) -> str:
    """The rule that a kind of curve is recommended with, and that ``auto`` stands for.

    Of those that the papers read by their peaks it is ``peak``, of all others ``best``
    (docs/predictors.md has what either loses).
    """
    return "peak" if kind in READ_BY_PEAKS else "best"


def taken(curve: Curve, rule: str, among: Sequence[int] | None = None) -> list[int]:
    """Positions that a rule takes from those ``among`` which it may choose; ``None``: all."""
    admissible = list(range(len(curve.values)) if among is None else among)
    rule = auto_rule(curve.kind) if rule == "auto" else rule
    if rule in ("all", "search"):
        return admissible
    peaks = [p for p in curve.peaks() if p in admissible]
    if rule == "peaks" and peaks:
        return peaks
    if rule in ("peak", "peaks"):
        interior = [p for p in admissible if 0 < p < len(curve.points) - 1]
        admissible = [p for p in peaks if p in interior] or interior or admissible
    top = TOP.fullmatch(rule)
    return sorted([p for p in curve.ranking() if p in admissible][: int(top[1]) if top else 1])


def _admissible(curve: Curve, limits: Limits, rate_of: RateOf) -> list[int]:
    """Positions that no limit excludes; at least one."""
    excluded = [limits.violations(point, rate_of) for point in curve.points]
    admissible = [p for p, reasons in enumerate(excluded) if not reasons]
    if not admissible:
        pairs = zip(curve.points, excluded, strict=True)
        lines = [f"{point.label}: {', '.join(reasons)}" for point, reasons in pairs]
        raise ValueError("the limits leave no split point:\n  " + "\n  ".join(lines))
    return admissible


def _named(curve: Curve, layer: str | int, limits: Limits, rate_of: RateOf, key: str) -> SplitPoint:
    """The admissible point with this name, alias or index (``"5"`` is an index if not a name)."""
    by_name = {name: point for point in curve.points for name in (point.name, *point.aliases)}
    by_index = {str(point.index): point for point in curve.points}
    point = by_name.get(str(layer)) if isinstance(layer, str) else None
    point = point or by_index.get(str(layer))
    if point is None:
        names = ", ".join(_with_aliases(point) for point in curve.points)
        raise ValueError(
            f"{key}={layer!r} is neither {', '.join(RULES)}, top:3 nor a split point of "
            f"this model (index 0..{len(curve.points) - 1} or name): {names}"
        )
    reasons = limits.violations(point, rate_of)
    if reasons:
        raise ValueError(f"{key}={layer!r} is excluded: {', '.join(reasons)}")
    return point


def _with_aliases(point: SplitPoint) -> str:
    return f"{point.name} ({', '.join(point.aliases)})" if point.aliases else point.name
