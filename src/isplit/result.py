"""What one split came to: the content of ``result.json``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SECTIONS = ("split", "curve", "bottleneck", "codec", "accuracy", "cost")


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
class CodecResult:
    """What a codec made of the code of every test image, payloads as sent.

    Attributes:
        settings: of the codec, as ``Codec.get_config`` has them.
        calibration_images: training images that its profile is from; ``None``: it has none.
        bits_per_element: of the code; without a bottleneck, of the features.
        encode_ms: of one image, median; ``decode_ms`` likewise.
    """

    name: str
    settings: Mapping[str, Any]
    calibration_images: int | None
    payload_mean_bytes: float
    payload_p95_bytes: int
    payload_max_bytes: int
    bits_per_element: float
    encode_ms: float
    decode_ms: float


@dataclass(frozen=True)
class Accuracy:
    """Test accuracy, 0..1, of the unsplit model, after each stage of the split one, as sent."""

    baseline: float
    after_autoencoder: float | None
    after_finetune: float | None
    test_images: int
    with_codec: float | None = None

    @property
    def reached(self) -> dict[str, float]:
        """After each stage that there was, the last one last."""
        trained = {"autoencoder": self.after_autoencoder, "finetune": self.after_finetune}
        stages = {"baseline": self.baseline, **trained, "codec": self.with_codec}
        return {stage: share for stage, share in stages.items() if share is not None}

    @property
    def final(self) -> float:
        """Of the split as it runs: after the last stage."""
        return [*self.reached.values()][-1]


@dataclass(frozen=True)
class PerClass:
    """F1 on the test images of each class, before and after the split."""

    class_names: tuple[str, ...]
    baseline_f1: tuple[float, ...]
    split_f1: tuple[float, ...]


@dataclass(frozen=True)
class Cost:
    """What one image costs on each side and on the wire.

    A payload is the code as float32 or, with a codec, the mean of what is sent.
    """

    head_macs: int
    tail_macs: int
    encoder_macs: int
    decoder_macs: int
    head_params: int
    feature_bytes: int
    payload_bytes: int


@dataclass(frozen=True)
class StageResult:
    """Where a stage's result lies in the store, and whether this job had to make it.

    Attributes:
        code: hash of the source that made it; ``None``: it was not noted.
    """

    fingerprint: str
    reused: bool
    seconds: float
    code: str | None = None


@dataclass(frozen=True)
class SplitResult:
    """Everything one split came to: the content of ``result.json``, schema 2.

    Attributes:
        bottleneck: ``None``: the features themselves are sent.
        codec: ``None``: what is sent counts as float32. Schema 1 had none.
    """

    schema: int
    model: str
    data: str
    num_classes: int
    seed: int
    split: ChosenSplit
    curve: CurveValue
    bottleneck: BottleneckResult | None
    accuracy: Accuracy
    per_class: PerClass
    cost: Cost
    stages: Mapping[str, StageResult]
    codec: CodecResult | None = None

    @property
    def device_macs(self) -> int:
        """Multiply-accumulates of one image in head and encoder."""
        return self.cost.head_macs + self.cost.encoder_macs

    @property
    def server_macs(self) -> int:
        """Multiply-accumulates of one image in decoder and tail."""
        return self.cost.tail_macs + self.cost.decoder_macs

    def answer(self, accuracy: float | None = None) -> str:
        """``Cut after block5_conv2: accuracy 0.900 -> 0.887, 2,048 -> 32 bytes a frame, ...``.

        Args:
            accuracy: mean over several trainings; ``None``: that of this one.
        """
        after = self.accuracy.final if accuracy is None else accuracy
        return (
            f"Cut after {self.split.label}: accuracy {self.accuracy.baseline:.3f} -> {after:.3f}, "
            f"{self.cost.feature_bytes:,} -> {self.cost.payload_bytes:,} bytes a frame, "
            f"{self.device_macs / 1e6:,.1f} M MACs on the device, "
            f"{self.server_macs / 1e6:,.1f} M on the server."
        )


def single_values(result: Mapping[str, Any]) -> dict[str, Any]:
    """Model, data, seed and the values of a ``result.json`` by ``section/name``, without lists."""
    flat = {name: result[name] for name in ("model", "data", "seed")}
    for section in SECTIONS:
        values = (result.get(section) or {}).items()
        flat |= {f"{section}/{k}": v for k, v in values if not isinstance(v, list | tuple | dict)}
    return flat
