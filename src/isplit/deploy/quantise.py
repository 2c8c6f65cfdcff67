"""Nets of an export in whole numbers of 8 bits: weights per channel, activations by range."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

QUANTISED = ["Conv", "ConvTranspose", "Gemm", "MatMul"]  # resizing and normalising stay exact


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, batches: Iterable[Any]) -> None:
        self.left = ({name: batch} for batch in batches)

    def get_next(self) -> dict[str, Any] | None:
        return next(self.left, None)


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
