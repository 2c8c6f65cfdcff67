"""What crosses the split as bytes: encoded and decoded for real, one image at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isplit.codec import Codec, calibrate
from isplit.codec.levels import Levels
from isplit.model import SplitModel
from isplit.stages.fit import Batches

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

    @property
    def settings(self) -> dict[str, Any]:
        """As JSON values."""
        return self.codec.get_config() | {"calibration_images": self.calibration_images}

    def largest_bytes(self, shape: tuple[int, ...]) -> int:
        """The most that a payload of this shape takes: the levels packed, and what is around them.

        Raises:
            ValueError: the codec refuses the shape or a setting, or its library is missing.
        """
        packed, zeros = self.codec, np.zeros((1, *shape), np.float32)
        try:
            self.codec.encode(zeros)
            if isinstance(packed, Levels):
                packed = replace(packed, name="quantize")
            if self.calibration_images:
                packed = packed.bound(calibrate(packed, zeros))
            return len(packed.encode(zeros)[0])
        except Exception as error:  # what libraries raise is not listed anywhere
            raise ValueError(f"codec={self.codec.name} cannot be used here: {error}") from error

    def calibrated(self, split: SplitModel, images: Batches, device: torch.device) -> Codec:
        """The codec, bound to a profile of the codes of these images where it has one."""
        if self.calibration_images is None:
            return self.codec
        split = split.eval().to(device)
        with torch.no_grad():
            codes = [split.encode(batch.to(device)).cpu() for batch, _ in images]
        split.cpu()
        return self.codec.bound(calibrate(self.codec, torch.cat(codes)))


@dataclass
class Wire:
    """Sends the output of an encoder, and notes the bytes and seconds of every payload."""

    codec: Codec
    payload_bytes: list[int] = field(default_factory=list)
    encode_s: list[float] = field(default_factory=list)
    decode_s: list[float] = field(default_factory=list)

    def __call__(self, encoder: nn.Module, inputs: Any, code: Tensor) -> Tensor:
        """The code as it arrives; to a gradient as if it had arrived unchanged."""
        samples = code.detach().float().cpu().numpy()
        arrived = np.concatenate([self._sent(sample) for sample in samples[:, None]])
        decoded = torch.from_numpy(arrived).to(code)
        return code + (decoded - code).detach() if code.requires_grad else decoded

    def _sent(self, sample: Any) -> Any:
        begin = time.perf_counter()
        payloads = self.codec.encode(sample)
        encoded = time.perf_counter()
        decoded = self.codec.decode(payloads)
        self.decode_s.append(time.perf_counter() - encoded)
        self.encode_s.append(encoded - begin)
        self.payload_bytes.append(len(payloads[0]))
        return decoded

    def measured(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """What the payloads of codes of this shape came to; times are medians."""
        mean = float(np.mean(self.payload_bytes))
        return {
            "payload_mean_bytes": mean,
            "payload_p95_bytes": int(np.percentile(self.payload_bytes, 95, method="higher")),
            "payload_max_bytes": max(self.payload_bytes),
            "bits_per_element": 8 * mean / math.prod(shape),
            "encode_ms": MS * float(np.median(self.encode_s)),
            "decode_ms": MS * float(np.median(self.decode_s)),
        }


@contextmanager
def sent(split: SplitModel, codec: Codec) -> Iterator[Wire]:
    """While it lasts, what crosses ``split`` goes through the codec."""
    wire = Wire(codec)
    handle = split.bottleneck.encoder.register_forward_hook(wire)
    try:
        yield wire
    finally:
        handle.remove()
