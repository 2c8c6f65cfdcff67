"""What one split came to: the content of ``result.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ChosenSplit:
    """Where the model was cut, and who said so (``user``, ``cui:peak`` ...)."""

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
