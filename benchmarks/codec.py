"""Bytes and speed of every codec, side by side, on features of trained nets.

    python benchmarks/codec.py --json outputs/bench/codec.json
    python benchmarks/codec.py --bits 4 --per channel

Two nets (VGG16 of a quarter of the width, ResNet-18) are trained on the embedded letters at 64 px
the first time, some minutes each, and kept with their features under outputs/bench/codec. Every
codec gets the same levels: one grid calibrated on validation images, which ``ans`` also takes its
tables from; sizes and times are those of test images, in payloads bound to the profile (8 bytes
around the body). The codecs take turns within each repeat, so that a busy machine slows all of
them, in another order each time; a speed is that of the fastest repeat, in seconds of this process
(all codecs use one thread).

bytes          of a payload as sent, mean over the test images
entropy_bytes  what the ideal coder would need: of ans by its own tables (those of the profile), of
               the others by the frequencies of the levels in each sample; without any header
encode_mb_s    float32 bytes a second, quantising, header and checksum included
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from isplit.backbones import build_backbone
from isplit.codec import Codec, bound_codec, calibrate, from_config
from isplit.codec.compiled import COMPILED
from isplit.codec.symbols import symbols_of
from isplit.codec.tables import TOTAL
from isplit.data import build_data
from isplit.files import write_json
from isplit.graph import split_at, split_points, trace, with_aliases
from isplit.stages.recipe import Recipe

POINTS = {
    "vgg16": ("block1_conv2", "block2_pool", "block4_conv1", "block5_conv1"),
    "resnet18": ("maxpool", "layer1.1", "layer2.1", "layer3.1"),
}
EPOCHS = {"vgg16": 6, "resnet18": 4}
CODECS: dict[str, dict[str, Any]] = {
    "quantize": {"name": "quantize"},
    "rle": {"name": "rle"},
    "zlib-1": {"name": "zlib", "effort": 1},
    "zlib-6": {"name": "zlib", "effort": 6},
    "zstd-1": {"name": "zstd", "effort": 1},
    "zstd-19": {"name": "zstd", "effort": 19},
    "lz4": {"name": "lz4"},
    "blosc2": {"name": "blosc2"},
    "pcodec": {"name": "pcodec"},
    "ans": {"name": "ans"},
    "ans, channels": {"name": "ans", "context": "channels"},
}
LIBRARIES = ("zlib-1", "zlib-6", "zstd-1", "zstd-19", "lz4", "blosc2", "pcodec")
CALIBRATION_IMAGES, TEST_IMAGES = 512, 64
HEADER_BYTES = 8  # of a bound payload


@dataclass(frozen=True)
class Case:
    """Features of one point: those a profile is calibrated on, and those that are measured."""

    model: str
    point: str
    calibration: NDArray[np.float32]
    test: NDArray[np.float32]


def main() -> None:
    """Measure every codec at every point and bits, print the table, write it as JSON if asked."""
    options = _options()
    torch.set_num_threads(1)
    if not COMPILED:
        print("numba is not installed: rle and ans run as plain Python")
    rows: list[dict[str, Any]] = []
    for case in (case for model in options.models for case in _cases(model, options.cache)):
        for bits in options.bits:
            found = _rows(case, bits, options)
            print(_table(found), flush=True)
            rows += found
    print(_goals(rows))
    if options.json:
        settings = {key: str(value) for key, value in vars(options).items()}
        write_json(options.json, {"rows": rows, "settings": settings})


def _rows(case: Case, bits: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each codec at one point."""
    codecs = {
        label: _bound(config | {"bits": bits, "per": options.per}, case)
        for label, config in CODECS.items()
    }
    payloads = {label: codec.encode(case.test) for label, codec in codecs.items()}
    decoded = {label: codec.decode(payloads[label]) for label, codec in codecs.items()}
    for label in codecs:  # the same levels, or the comparison says nothing
        np.testing.assert_array_equal(decoded[label], decoded["quantize"], err_msg=label)
    encode = {n: partial(c.encode, case.test) for n, c in codecs.items()}
    decode = {n: partial(c.decode, payloads[n]) for n, c in codecs.items()}
    encode_s, decode_s = _timed(encode, options.repeats), _timed(decode, options.repeats)
    return [
        {
            "model": case.model,
            "point": case.point,
            "bits": bits,
            "codec": label,
            "bytes": statistics.mean(map(len, payloads[label])),
            "entropy_bytes": _entropy_bytes(codecs[label], case.test),
            "encode_mb_s": case.test.nbytes / encode_s[label] / 1e6,
            "decode_mb_s": case.test.nbytes / decode_s[label] / 1e6,
        }
        for label in codecs
    ]


def _bound(config: dict[str, Any], case: Case) -> Codec:
    return bound_codec(calibrate(from_config(config), case.calibration))


def _entropy_bytes(codec: Any, features: NDArray[np.float32]) -> float:
    """Mean over the samples of the bytes that an ideal coder needs for the levels."""
    form, found = codec.form(features.shape[1:]), 0.0
    for levels in codec.levels(features):
        if form.tables:
            (cells,) = symbols_of(levels[None], form, form.tables.group, form.tables.context)
            parts = form.tables.parts.reshape(len(form.tables.parts), -1)
            found -= np.log2(np.take_along_axis(parts, cells.astype(int), 1) / TOTAL).sum()
        else:
            counts = np.bincount(levels.reshape(-1))
            found -= (counts * np.log2(np.maximum(counts, 1) / levels.size)).sum()
    return float(found / 8 / len(features))


def _timed(ways: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Least seconds of each way; they take turns, in another order each time.

    What a way leaves in the caches costs or saves the next one up to a third of its time.
    """
    seconds: dict[str, list[float]] = {label: [] for label in ways}
    for repeat in range(repeats):
        for label in np.random.default_rng(repeat).permutation(list(ways)).tolist():
            start = time.process_time()
            ways[label]()
            seconds[label].append(time.process_time() - start)
    return {label: min(values) for label, values in seconds.items()}


def _table(rows: list[dict[str, Any]]) -> str:
    rle = next(row["bytes"] for row in rows if row["codec"] == "rle")
    head = "{model} {point}, {bits} bits".format(**rows[0])
    lines = [f"{head:32} bytes  of rle  of entropy  encode MB/s  decode MB/s"]
    lines += [
        f"{row['codec']:>30} {row['bytes']:7.0f} {row['bytes'] / rle:7.3f} "
        f"{(row['bytes'] - HEADER_BYTES) / row['entropy_bytes']:11.3f} "
        f"{row['encode_mb_s']:12.0f} {row['decode_mb_s']:12.0f}"
        for row in rows
    ]
    return "\n".join(lines)


def _goals(rows: list[dict[str, Any]]) -> str:
    """In how many cells each goal is met, and the worst of them."""
    cells: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault((row["model"], row["point"], row["bits"]), {})[row["codec"]] = row
    speed = {
        ("ans", "zlib-1", "encode_mb_s"): 3,
        ("ans", "zlib-6", "encode_mb_s"): 10,
        ("ans", "zstd-1", "encode_mb_s"): 1,
        ("rle", "zlib-1", "encode_mb_s"): 3,
        ("rle", "zlib-6", "decode_mb_s"): 2,
    }
    ratios: dict[str, list[float]] = {
        f"{fast} {key.split('_')[0]}s at least {goal} x {slow}": [
            cell[fast][key] / cell[slow][key] / goal for cell in cells.values()
        ]
        for (fast, slow, key), goal in speed.items()
    }
    ratios["ans smaller than every library"] = [
        min(cell[name]["bytes"] for name in LIBRARIES) / cell["ans"]["bytes"]
        for cell in cells.values()
    ]
    ratios["ans at most 0.65 of rle at 4 bits"] = [
        0.65 * cell["rle"]["bytes"] / cell["ans"]["bytes"]
        for (_, _, bits), cell in cells.items()
        if bits == 4
    ]
    ratios["ans body at most 1.03 of its entropy"] = [
        1.03 * cell["ans"]["entropy_bytes"] / (cell["ans"]["bytes"] - HEADER_BYTES)
        for cell in cells.values()
    ]
    return "\n".join(
        f"{name:40} {sum(v >= 1 for v in values):3} of {len(values)} cells; worst "
        f"{min(values, default=1):.2f} of the goal, median {statistics.median(values or [1]):.2f}"
        for name, values in ratios.items()
    )


def _cases(model: str, cache: Path) -> Iterator[Case]:
    """The points of a net, its features computed once and kept."""
    file = cache / f"{model}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(file, allow_pickle=False, **_features(model, cache))
    kept = np.load(file)
    for point in POINTS[model]:
        yield Case(model, point, kept[f"calibration/{point}"], kept[f"test/{point}"])


def _features(model: str, cache: Path) -> dict[str, NDArray[np.float32]]:
    data = build_data(
        "letters",
        root=None,
        image_size=64,
        classes=None,
        images_per_class=None,
        validation_fraction=0.15,
        augment="none",
        mean=0.5,
        std=0.25,
        max_corrupt=0,
        download=False,
        num_workers=0,
        cache_dir=cache,
        seed=0,
        difficulty=0.75,
        train_images=4000,
        test_images=1000,
    )
    net = trained(model, data)
    calibration, _ = next(iter(data.loader("validation", CALIBRATION_IMAGES)))
    test, _ = next(iter(data.loader("test", TEST_IMAGES)))
    traced = trace(net, test[:1])
    points = [
        point for point in with_aliases(model, split_points(traced)) if point.label in POINTS[model]
    ]
    found = {}
    with torch.no_grad():
        for point in points:
            head = split_at(traced, point)[0].eval()
            found[f"calibration/{point.label}"] = head(calibration).numpy()
            found[f"test/{point.label}"] = head(test).numpy()
    return found


def trained(model: str, data: Any) -> torch.nn.Module:
    """A net trained by the recipe of both benchmarks."""
    torch.manual_seed(0)
    width = 0.25 if model == "vgg16" else 1.0
    net = build_backbone(model, data.num_classes, image_size=data.image_size, width=width)
    steps = EPOCHS[model] * len(data.loader("train", 64))
    recipe = Recipe(epochs=EPOCHS[model], learning_rate=2e-3)
    made = recipe.optimize(steps, (net, recipe.learning_rate))
    net.train()
    for _ in range(EPOCHS[model]):
        for images, labels in data.loader("train", 64, shuffle=True):
            made["optimizer"].zero_grad()
            loss = torch.nn.functional.cross_entropy(net(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            made["optimizer"].step()
            made["lr_scheduler"]["scheduler"].step()
    net.eval()
    with torch.no_grad():
        right = sum(int((net(x).argmax(1) == y).sum()) for x, y in data.loader("test", 250))
    print(
        f"{model}: accuracy {right / data.size('test'):.3f} on {data.size('test')} test images",
        flush=True,
    )
    return net


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=list(POINTS), choices=list(POINTS))
    parser.add_argument("--bits", nargs="+", type=int, default=list(range(1, 9)))
    parser.add_argument("--per", default="tensor", choices=["tensor", "channel"])
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--cache", type=Path, default=Path("outputs/bench/codec"))
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
