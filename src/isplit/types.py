"""The values that travel between the parts of isplit: frozen, typed, with units in their names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class SplitPoint:
    """A place in the forward graph where exactly one tensor crosses from head to tail.

    Attributes:
        index: position among the listed points of its model, from the input on.
        name: path of the module whose output crosses (``layer3.2``, ``features.16``).
        shape: of the features, without the batch dimension.
        node: the graph node whose value crosses.
        head_macs: multiply-accumulates of one image up to and including the point.
        tail_macs: multiply-accumulates of one image after it.
        head_params: parameters of the head.
        aliases: other names it answers to (``block3_pool``), the friendliest first.
        channels_last: whether a map is stored as (H, W, C), as Swin's are, not as (C, H, W).
    """

    index: int
    name: str
    shape: tuple[int, ...]
    node: str
    head_macs: int
    tail_macs: int
    head_params: int
    aliases: tuple[str, ...] = ()
    channels_last: bool = False

    @property
    def numel(self) -> int:
        """Elements of the features of one image."""
        return math.prod(self.shape)

    @property
    def feature_bytes(self) -> int:
        """Bytes of the features of one image as float32."""
        return self.numel * FLOAT32_BYTES

    @property
    def label(self) -> str:
        """The name for people: the papers' where there is one, else the module path."""
        return self.aliases[0] if self.aliases else self.name


@dataclass(frozen=True)
class Curve:
    """One value per split point; the higher, the better a split there is predicted to be.

    Attributes:
        kind: the predictor that made it (``cui``, ``gradient``, ``size`` ...).
        points: the split points, from the input on.
        values: one per point.
        per_class: the same for the images of one class, by class name (empty if not known).
        num_images: images it was computed from (0: the architecture alone decides).
        marked: positions of the candidates where the predictor names them itself (CDE);
            ``None``: the candidates are the local maxima.
    """

    kind: str
    points: tuple[SplitPoint, ...]
    values: tuple[float, ...]
    per_class: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    num_images: int = 0
    marked: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if len(self.points) != len(self.values):
            raise ValueError(f"{len(self.values)} values for {len(self.points)} split points")

    def ranking(self) -> list[int]:
        """Positions from the highest value to the lowest; of equal ones the deeper comes first."""
        return sorted(range(len(self.values)), key=lambda p: (-self.values[p], -p))

    def rank(self, position: int) -> int:
        """Place of a point in the ranking, from 1."""
        return self.ranking().index(position) + 1

    def peaks(self) -> list[int]:
        """Positions of the candidates: interior local maxima (the last of a plateau), or marked."""
        if self.marked is not None:
            return list(self.marked)
        v = self.values
        return [p for p in range(1, len(v) - 1) if v[p] > v[p + 1] and _rises_to(v, p)]


def _rises_to(values: tuple[float, ...], position: int) -> bool:
    """Whether the last different value before ``position`` is lower (so a plateau counts once)."""
    before = next((v for v in reversed(values[:position]) if v != values[position]), None)
    return before is not None and before < values[position]
