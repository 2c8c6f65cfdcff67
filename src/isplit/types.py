"""The values that travel between the parts of isplit: frozen, typed, with units in their names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

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
        channels_last: whether the features are stored as (H, W, C) or (T, C), not as (C, H, W) or
            (C, T); ``None``: the graph does not tell.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    node: str
    head_macs: int
    tail_macs: int
    head_params: int
    aliases: tuple[str, ...] = ()
    channels_last: bool | None = False

    @property
    def channel_axis(self) -> int:
        """Dimension of ``shape`` that holds the channels.

        Raises:
            ValueError: the graph does not tell.
        """
        if self.channels_last is None:
            raise ValueError(
                f"which dimension of {self.shape} at {self.label} holds the channels cannot be "
                "told from the graph: say split.channels=first or split.channels=last"
            )
        return len(self.shape) - 1 if self.channels_last else 0

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
class Work:
    """What a net, a head or a tail has to do for one image.

    Attributes:
        dense_macs: multiply-accumulates, but for those of depthwise convolutions.
        depthwise_macs: multiply-accumulates of convolutions that see one channel at a time.
        layers: operations that multiply: convolutions, linear layers, matrix products.
        bytes_moved: inputs, outputs and weights of those as float32.
        parameters: numbers learned.
    """

    dense_macs: int
    depthwise_macs: int = 0
    layers: int = 0
    bytes_moved: int = 0
    parameters: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Work)))


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


@dataclass(frozen=True)
class Evaluation:
    """What a classifier answers on a split of the data.

    Attributes:
        accuracy: part of the images answered correctly, 0..1.
        f1: F1 score of each class, 0..1.
        predictions: the answer for each image, as class indices in the order of the split.
    """

    accuracy: float
    f1: tuple[float, ...]
    predictions: tuple[int, ...]


@dataclass(frozen=True)
class ChosenSplit:
    """Where the model was cut, and who said so (``user``, ``cui:auto`` ...)."""

    layer: str
    index: int
    shape: tuple[int, ...]
    chosen_by: str
    label: str


@dataclass(frozen=True)
class CurveValue:
    """What the predictor said about the point, and its place (from 1) among all points."""

    kind: str
    value: float
    rank: int
    num_points: int


@dataclass(frozen=True)
class BottleneckResult:
    """The compression asked for, the one achieved, and how well the features come back."""

    compression_rate: float
    achieved_rate: float
    code_shape: tuple[int, ...]
    reconstruction_nmse: float


@dataclass(frozen=True)
class Accuracy:
    """Test accuracy, 0..1, of the unsplit model and after each stage of the split one."""

    baseline: float
    after_autoencoder: float
    after_finetune: float
    test_images: int


@dataclass(frozen=True)
class PerClass:
    """F1 on the test images of each class, before and after the split."""

    class_names: tuple[str, ...]
    baseline_f1: tuple[float, ...]
    split_f1: tuple[float, ...]


@dataclass(frozen=True)
class Cost:
    """What one image costs on each side and on the wire; a payload is the code as float32."""

    head_macs: int
    tail_macs: int
    encoder_macs: int
    decoder_macs: int
    head_params: int
    feature_bytes: int
    payload_bytes: int


@dataclass(frozen=True)
class StageResult:
    """Where a stage's result lies in the store, and whether this job had to make it."""

    fingerprint: str
    reused: bool
    seconds: float


@dataclass(frozen=True)
class SplitResult:
    """Everything one split came to: the content of ``result.json``, schema 1."""

    schema: int
    model: str
    data: str
    num_classes: int
    seed: int
    split: ChosenSplit
    curve: CurveValue
    bottleneck: BottleneckResult
    accuracy: Accuracy
    per_class: PerClass
    cost: Cost
    stages: Mapping[str, StageResult]


def _rises_to(values: tuple[float, ...], position: int) -> bool:
    """Whether the last different value before ``position`` is lower (so a plateau counts once)."""
    before = next((v for v in reversed(values[:position]) if v != values[position]), None)
    return before is not None and before < values[position]
