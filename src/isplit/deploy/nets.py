"""The nets of an export: head and tail as ONNX, in whole numbers of 8 bits, beside torch's answers.

Legend: N images, H W pixels of an image.
"""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnx.compose
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn
from torch.export import Dim
from torch.nn.functional import interpolate

from isplit.codec import Codec
from isplit.data import ImageData
from isplit.deploy.manifest import HEAD, NET, TAIL, run, session
from isplit.model import SplitModel

BATCH = 64  # images that are answered together
QUANTISED = ["Conv", "ConvTranspose", "Gemm", "MatMul"]  # resizing and normalising stay exact


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


def quantise(net: Path, name: str, batches: Iterable[Any]) -> None:
    """Put a net of int8 in the place of one of float32, by static quantisation.

    Args:
        net: ONNX file.
        name: of its input.
        batches: inputs as it will see them; ranges of activations are the smallest and largest
            values that they cause.
    """
    with TemporaryDirectory(dir=net.parent) as folder:
        joined, made = Path(folder) / "joined.onnx", Path(folder) / net.name
        quant_pre_process(net, joined, skip_symbolic_shape=True)  # batch norms into convolutions
        quantize_static(
            joined,
            made,
            _Batches(name, batches),
            op_types_to_quantize=QUANTISED,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        made.replace(net)


@torch.no_grad()
def compared(
    split: SplitModel, codec: Codec, data: ImageData, images: int, out: Path
) -> dict[str, Any]:
    """Files and torch on test images: labels behind the codec, and the largest difference of all.

    ``accuracy`` is that behind the codec, ``accuracy_whole`` that of ``net.onnx``.

    Args:
        images: of the test set.
        out: folder of the files.
    """
    head, tail, net = map(session, (out / HEAD, out / TAIL, out / NET))
    rows: list[tuple[bool, ...]] = []  # of an image: the label is torch's; right; the net's; bytes
    worst = 0.0
    for x, y in data.loader("test", BATCH, images=images):
        pixels = pixels_of(x, data)
        code, found = split.encode(x).numpy(), run(head, pixels)
        payloads = codec.encode(found)
        sent, expected = (torch.from_numpy(codec.decode(p)) for p in (payloads, codec.encode(code)))
        logits, twin = run(tail, sent.numpy()), split.decode(sent).numpy()
        whole = run(net, pixels)
        for a, b in ((found, code), (logits, twin), (whole, split(x).numpy())):
            apart = np.abs(a - b).max() / (np.abs(b).max() or 1)
            worst = float(np.maximum(worst, apart))  # which NaN does not leave
        labels, torchs = logits.argmax(1), split.decode(expected).argmax(1).numpy()
        right = (labels == torchs, *(found == y.numpy() for found in (labels, whole.argmax(1))))
        rows += zip(*right, map(len, payloads), strict=True)
    equal, right, whole, size = np.array(rows, float).T
    counts = {"images": len(rows), "labels_equal": int(equal.sum())}
    columns = {"accuracy": right, "accuracy_whole": whole, "payload_bytes_mean": size}
    means = {name: float(column.mean()) for name, column in columns.items()}
    return counts | means | {"largest_difference": worst}


def pixels_of(x: Tensor, data: ImageData) -> Any:
    """Uint8 (N, H, W, 3) of images as the net takes them."""
    return data.preparation.pixels(x).permute(0, 2, 3, 1).contiguous().numpy()


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


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, batches: Iterable[Any]) -> None:
        self.left = ({name: batch} for batch in batches)

    def get_next(self) -> dict[str, Any] | None:
        return next(self.left, None)
