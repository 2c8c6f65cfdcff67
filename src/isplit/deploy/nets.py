"""Head and tail of a split model as ONNX, preprocessing and all.

Legend: N images, H W pixels of an image.
"""

from pathlib import Path
from typing import Any

import onnx
import onnx.compose
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn.functional import interpolate

from isplit.data import ImageData
from isplit.deploy.manifest import HEAD, NET, TAIL
from isplit.model import SplitModel


def write_nets(split: SplitModel, data: ImageData, out: Path) -> tuple[int, ...]:
    """The shape of a sample's code; writes ``head.onnx`` and ``tail.onnx``.

    Batches, heights and widths of pixels are free.

    Raises:
        ValueError: the net cannot be exported.
    """
    head = nn.Sequential(_Pixels(data), split.head, split.bottleneck.encoder).eval()
    tail = nn.Sequential(split.bottleneck.decoder, split.tail).eval()
    pixels = torch.zeros(2, data.image_size + 1, data.image_size + 2, 3, dtype=torch.uint8)
    with torch.no_grad():
        code = head(pixels)
    _write(head, pixels, {0: Dim("N"), 1: Dim("H"), 2: Dim("W")}, out / HEAD, "pixels", "code")
    _write(tail, code, {0: Dim("N")}, out / TAIL, "code", "logits")
    return tuple(code.shape[1:])


def join_nets(out: Path) -> None:
    """Write ``net.onnx``: head and tail as they lie there, one behind the other."""
    parts = onnx.load(out / HEAD), onnx.load(out / TAIL)
    onnx.save(onnx.compose.merge_models(*parts, [("code", "code")], prefix2="tail/"), out / NET)


class _Pixels(nn.Module):
    """Uint8 (N, H, W, 3) as the net takes images."""

    def __init__(self, data: ImageData) -> None:
        super().__init__()
        self.size, self.normalised = (data.image_size,) * 2, data.preparation.normalised

    def forward(self, pixels: Tensor) -> Tensor:
        images = pixels.permute(0, 3, 1, 2).float()
        images = interpolate(images, self.size, mode="bilinear", antialias=True)
        return self.normalised(images.round())  # training saw pixels of 8 bits


def _write(part: nn.Module, x: Tensor, free: dict[int, Any], path: Path, *names: str) -> None:
    how: dict[str, Any] = {"input_names": names[:1], "output_names": names[1:]}
    how |= {"dynamic_shapes": (free,), "dynamo": True, "verbose": False, "external_data": False}
    try:
        torch.onnx.export(part, (x,), path, **how)
    except Exception as error:  # whatever a net makes the exporter raise
        raise ValueError(f"{path.name} cannot be exported: {str(error)[:500]}") from error
