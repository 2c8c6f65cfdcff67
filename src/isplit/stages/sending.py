"""What crosses the split as bytes: encoded and decoded for real, one image at a time."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isplit.codec import Codec, calibrate, from_config
from isplit.codec.codec import as_array
from isplit.codec.levels import Levels
from isplit.model import SplitModel
from isplit.point import FLOAT32_BYTES, SplitPoint
from isplit.result import CodecResult
from isplit.stages.stored import Made, Stored
from isplit.stages.workbench import Workbench

MS = 1e3  # in a second


@dataclass(frozen=True)
class Sending:
    """How the encoder's output is sent.

    Attributes:
        codec: without a profile.
        calibration_images: training images that its profile is made from; ``None``: no profile.
    """

    codec: Codec
    calibration_images: int | None = None

    def largest_bytes(self, shape: tuple[int, ...]) -> int:
        """The most that a payload of this shape takes: the levels packed, and what is around them.

        Raises:
            ValueError: the codec refuses the shape or a setting, or its library is missing.
        """
        codec, zeros = self.codec, np.zeros((1, *shape), np.float32)
        try:
            packed = codec
            if isinstance(codec, Levels):
                packed = replace(codec, name="quantize", context="neighbours")
            for tried in (codec, packed):
                bound = tried.bound(calibrate(tried, zeros)) if self.calibration_images else tried
                payload = bound.encode(zeros)[0]
            return len(payload)
        except Exception as error:  # what libraries raise is not listed anywhere
            raise ValueError(f"codec={codec.name} cannot be used here: {error}") from error


@dataclass(frozen=True)
class Wire:
    """Stands behind an encoder as a hook: what it gives is encoded and decoded for real.

    Attributes:
        notes: of each payload its bytes, and the seconds of encoding and decoding.
    """

    codec: Codec
    notes: list[tuple[int, float, float]] = field(default_factory=list)

    def __call__(self, encoder: nn.Module, inputs: Any, code: Tensor) -> Tensor:
        """The code as it arrives; to a gradient as if it had arrived unchanged."""
        samples = as_array(code).astype(np.float32, copy=False)
        arrived = np.concatenate([self._sent(sample) for sample in samples[:, None]])
        decoded = torch.from_numpy(arrived).to(code)
        return code + (decoded - code).detach() if code.requires_grad else decoded

    def measured(self, elements: int, calibration_images: int | None) -> CodecResult:
        """What the payloads of codes of so many elements came to."""
        sizes, *seconds = np.array(self.notes).T
        p95, largest = (int(np.percentile(sizes, of, method="higher")) for of in (95, 100))
        encode_ms, decode_ms = (MS * float(np.median(times)) for times in seconds)
        how = (self.codec.name, self.codec.get_config(), calibration_images)
        mean = float(sizes.mean())
        return CodecResult(*how, mean, p95, largest, 8 * mean / elements, encode_ms, decode_ms)

    def _sent(self, sample: NDArray[Any]) -> NDArray[Any]:
        begin = time.perf_counter()
        payloads = self.codec.encode(sample)
        encoded = time.perf_counter()
        decoded = self.codec.decode(payloads)
        decode_s = time.perf_counter() - encoded
        self.notes.append((len(payloads[0]), encoded - begin, decode_s))
        return decoded


SENT_BY = (Sending, Wire, from_config)
"""The code that a payload is made with."""


def affordable(sending: Sending, bench: Workbench, code_shape: Sequence[int]) -> Sending:
    """The same, with as many calibration images as there are and memory has room for."""
    room = bench.feature_memory_bytes // (math.prod(code_shape) * FLOAT32_BYTES) or 1
    images = min(sending.calibration_images or 0, bench.data.size("train"), room)
    return replace(sending, calibration_images=images or None)


def coded(
    bench: Workbench, split: SplitModel, point: SplitPoint, before: Stored, sending: Sending
) -> Stored:
    """What the finished split model answers when the code of every test image is sent for real.

    Args:
        before: the stage that the weights of ``split`` are of.
    """

    def make(folder: Path) -> Made:
        wire = wire_of(bench, split, sending)
        with split.bottleneck.encoder.register_forward_hook(wire):
            test = bench.test(split)
        elements = math.prod(split.bottleneck.code_shape)
        about = asdict(wire.measured(elements, sending.calibration_images))
        profile = wire.codec.profile and wire.codec.profile.to_json()
        return Made({}, {"history": [], "test": test, "codec": about, "profile": profile})

    inputs = {"before": before.fingerprint, "node": point.node, "sent": asdict(sending)}
    what = bench.recipe("codec", None, SENT_BY, **inputs)
    return bench.store.get_or_make("codec", what, make)


@torch.no_grad()
def wire_of(bench: Workbench, split: SplitModel, sending: Sending) -> Wire:
    """Its codec is bound to a profile of the codes of training images if it is to have one."""
    if sending.calibration_images is None:
        return Wire(sending.codec)
    images, device = bench.images("train", sending.calibration_images), bench.engine.device
    encode = split.eval().to(device).encode
    codes = torch.cat([encode(batch.to(device)).cpu() for batch, _ in images])
    return Wire(sending.codec.bound(calibrate(sending.codec, codes)))
