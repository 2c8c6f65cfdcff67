"""One value per split point, and what it costs to make them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from isplit.point import SplitPoint


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


@dataclass(frozen=True)
class PredictorCost:
    """What it takes to rank all points once, counted; measured in ``benchmarks/predictors.py``.

    Attributes:
        images: looked at.
        forward: passes of the whole net for each of them.
        backward: the same, backwards.
        training_steps: optimizer steps for all points together.
    """

    images: int = 0
    forward: float = 0.0
    backward: float = 0.0
    training_steps: int = 0


def _rises_to(values: tuple[float, ...], position: int) -> bool:
    """Whether the last different value before ``position`` is lower (so a plateau counts once)."""
    before = next((v for v in reversed(values[:position]) if v != values[position]), None)
    return before is not None and before < values[position]
