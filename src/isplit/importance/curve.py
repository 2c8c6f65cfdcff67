"""One value per split point, what it costs to make them, and how the CUI is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args, get_type_hints

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
    """

    images: int = 0
    forward: float = 0.0
    backward: float = 0.0


@dataclass(frozen=True)
class CuiSettings:
    """How gradients and features become one number; the defaults are the published code's.

    Attributes:
        target: whose logit is explained: the true class's (``label``) or the predicted one's.
        channels: reduction over the channels of alpha * F (I-SPLIT Eq. 2).
        spatial: reduction over positions, of the gradient (Eq. 1) and of the map (the CUI).
        accumulate: ``deeper`` adds the maps of deeper points before the ReLU (Eq. 2 as printed).
        tap: ``point``: the tensor that crosses; ``pre_activation``: before its activation.
        precision: ``32``: the model as it is; ``bf16``: a copy in bfloat16, channels last.
    """

    target: Literal["label", "prediction"] = "label"
    channels: Literal["mean", "sum"] = "mean"
    spatial: Literal["mean", "sum"] = "mean"
    accumulate: Literal["none", "deeper"] = "none"
    tap: Literal["point", "pre_activation"] = "point"
    precision: Literal["32", "bf16"] = "32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "precision", str(self.precision))  # 32 typed as a number
        for key, choices in get_type_hints(type(self)).items():
            value = getattr(self, key)
            if value not in get_args(choices):
                known = ", ".join(get_args(choices))
                raise ValueError(f"split.cui.{key}={value!r} is not one of {known}")


def called(kind: str, settings: Mapping[str, object]) -> str:
    """A kind with the settings that are not the usual ones.

    >>> called("cui", {}), called("cui", {"channels": "sum"})
    ('cui', 'cui(channels=sum)')
    """
    said = ", ".join(f"{key}={value}" for key, value in settings.items())
    return f"{kind}({said})" if said else kind


def _rises_to(values: tuple[float, ...], position: int) -> bool:
    """Whether the last different value before ``position`` is lower (so a plateau counts once)."""
    before = next((v for v in reversed(values[:position]) if v != values[position]), None)
    return before is not None and before < values[position]
