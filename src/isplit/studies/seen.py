"""What the net and the images of a run show today: the command knows how, a study asks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.importance.curve import Curve, PredictorCost
from isplit.point import SplitPoint, Work
from isplit.result import Cost
from isplit.stages.cut_net import CutNet
from isplit.studies.collect import Run


@dataclass(frozen=True)
class Pictures:
    """Single images under their heat maps at some points.

    Attributes:
        overlays: (P, N, H, W, 3).
        images: (N, H, W, 3).
        labels: class of each image.
    """

    overlays: NDArray[np.uint8]
    points: Sequence[SplitPoint]
    images: NDArray[np.uint8]
    labels: Sequence[str]


@dataclass(frozen=True)
class Sent:
    """What travels a frame, and what it does to accuracy; times as measured on this machine.

    Attributes:
        name: how it is coded.
        accuracy: on all test images, 0..1.
    """

    name: str
    accuracy: float
    payload_bytes: float
    encode_s: float = 0.0
    decode_s: float = 0.0


@dataclass(frozen=True)
class Coded:
    """A bottleneck at some point: the part it removes, what it costs, its encoder's parameters."""

    rate: float
    cost: Cost
    encoder_params: int


Lost = Mapping[str, Any]
"""A row of accuracy where packets are lost."""


@dataclass(frozen=True)
class Sides:
    """What the unsplit net costs in two parts, and its image where that travels.

    Attributes:
        parts: work of head and tail, by position of the split point.
        coded: the bottleneck of a run's condition at a point, by position; ValueError: there is
            none.
        under_loss: measures a run's split over UDP.
    """

    whole: Work
    parts: Sequence[tuple[Work, Work]]
    image: Sent
    coded: Callable[[Run, int], Coded]
    under_loss: Callable[[Run], list[Lost]]


@dataclass(frozen=True)
class Seen:
    """What the net and the images of a condition show today.

    Attributes:
        curves: every predictor's values, by name.
        costs: what each of these took.
        left_out: what could not be computed, and why, in words.
        net: the net itself with its images, for a study without curves.
    """

    curves: Mapping[str, Curve]
    costs: Mapping[str, PredictorCost] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    pictures: Pictures | None = None
    sides: Sides | None = None
    net: CutNet | None = None


Look = Callable[[Run], Seen]
"""How a study gets the curves of a run's net: the command knows store, images and settings."""
