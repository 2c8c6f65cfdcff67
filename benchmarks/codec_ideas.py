"""Bits an element against accuracy lost, for each idea of docs/codec_ideas.md.

    python benchmarks/codec_ideas.py --data ../shared/data --json outputs/bench/ideas.json

VGG16 (a quarter of the width) and ResNet-18 on the embedded letters and on notMNIST, trained the
first time (minutes each) and kept under outputs/bench/ideas. Levels, tables and gradients come
from validation images, bits (of whole payloads) and losses from test images. A loss is the mean
over test images of right without the codec less right with it; its error is that of the mean of
these differences.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from codec import trained
from torch import Tensor, nn

from isplit.backbones import build_backbone
from isplit.codec import Codec, Profile, bound_codec, calibrate, calibration, from_config
from isplit.codec.by_rate import by_rate
from isplit.codec.grid import rows_of
from isplit.codec.levels import Levels
from isplit.data import build_data
from isplit.graph import split_at, split_points, trace, with_aliases

CONDITIONS = (
    ("vgg16", "letters"),  # constants are chosen on this one
    ("resnet18", "letters"),
    ("vgg16", "notmnist"),
)
LAMBDAS = (0.04, 0.1, 0.25)
CALIBRATION_IMAGES, TEST_IMAGES = 512, 1000


def main() -> None:
    """Score every idea at every point of every condition, row by row, then sum them up."""
    options = _options()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for model, data in (CONDITIONS[k] for k in options.conditions):
        for row in _rows(model, data, options):
            rows.append(row)
            shown = (f"{v:.4f}" if isinstance(v, float) else str(v) for v in row.values())
            print(*shown, flush=True)
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    print(summary(rows))


def _rows(model: str, data_name: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    data = _data(data_name, options)
    net = _net(model, data_name, data, options.cache)
    calibration = _images(data, "validation", CALIBRATION_IMAGES)
    test = _images(data, "test", TEST_IMAGES)
    traced = trace(net, test[0][:1])
    for point in with_aliases(model, split_points(traced))[1 :: options.every]:
        head, tail = (part.eval() for part in split_at(traced, point))
        for idea, setting, bits, right, plain in _scores(
            head, tail, calibration, test, options.by_rate
        ):
            lost = plain.float() - right.float()
            yield {
                "model": model,
                "data": data_name,
                "point": point.label,
                "idea": idea,
                "setting": setting,
                "bits": bits,
                "lost": lost.mean().item(),
                "error": lost.std().item() / len(lost) ** 0.5,
            }


def _scores(
    head: nn.Module, tail: nn.Module, calibration: Any, test: Any, by_rate: list[int]
) -> Iterator[Any]:
    """(idea, setting, bits an element, right with the codec, right without) of each setting."""
    before, after = _answers(head, calibration[0]), _answers(head, test[0])
    plain = _answers(tail, after).argmax(1) == test[1]
    gradient = _squared_gradient(tail, before, calibration[1])
    for bits, how in ((1, "clip"), (2, "clip"), (2, "minmax"), (3, "minmax")):
        config = {"name": "ans", "bits": bits, "per": "channel", "range": how}
        codec = bound_codec(calibrate(from_config(config), before))
        size, decoded = _sent(codec, after)
        right = _answers(tail, decoded).argmax(1) == test[1]
        yield f"equal steps, {how}", bits, size, right, plain
        of_channels = from_config(config | {"context": "channels"})
        less, _ = _sent(bound_codec(calibrate(of_channels, before)), after)
        yield f"equal steps, {how}, channels", bits, less, right, plain
        if bits == 1:
            size, decoded = _sent(_with_centroids(codec, before), after)
            right = _answers(tail, decoded).argmax(1) == test[1]
            yield "equal steps, centroids", bits, size, right, plain
    for weight, name in ((np.ones_like(gradient), "levels"), (gradient, "levels by gradient")):
        for trade in LAMBDAS:
            if 1 in by_rate:
                size, decoded = _sent(_by_rate(before, weight, trade, bits=1), after)
                right = _answers(tail, decoded).argmax(1) == test[1]
                yield f"two {name}", trade, size, right, plain
                less, _ = _sent(_by_rate(before, weight, trade, bits=1, context="channels"), after)
                yield f"two {name}, channels", trade, less, right, plain
            if 2 not in by_rate:
                continue
            codec = _by_rate(before, weight, trade)
            size, decoded = _sent(codec, after)
            right = _answers(tail, decoded).argmax(1) == test[1]
            yield name, trade, size, right, plain
            alone, _ = _sent(_by_rate(before, weight, trade, contexts=False), after)
            yield f"{name}, no contexts", trade, alone, right, plain
            renewed = _renewed(tail, _sent(codec, before)[1])
            right = _answers(renewed, decoded).argmax(1) == test[1]
            yield f"{name}, BatchNorm", trade, size, right, plain


def _with_centroids(codec: Codec, before: Tensor) -> Codec:
    """The same levels and tables; each level becomes the mean of what it stands for."""
    assert codec.profile
    assert codec.profile.grid
    grid, features = codec.profile.grid, before.numpy().reshape(*before.shape[:2], -1)
    values = grid.values.copy()
    levels = grid.levels(features)
    for level in range(values.shape[1]):
        here = levels == level
        count, total = here.sum((0, 2)), np.where(here, features, 0).sum((0, 2), np.float64)
        values[:, level] = np.where(count, total / np.maximum(count, 1), values[:, level])
    profile = replace(codec.profile, grid=replace(grid, values=values))
    return bound_codec(profile)


def _by_rate(
    before: Tensor,
    weight: Any,
    trade: float,
    contexts: bool = True,
    bits: int = 2,
    context: str = "neighbours",
) -> Codec:
    """``ans`` with levels of the least weight * squared error + lambda * bits, 2**bits of them."""
    codec = Levels(bits=bits, per="channel", context=context)
    rows = rows_of(before.numpy().reshape(len(before), before.shape[1], -1), "channel")
    grid = by_rate(rows, rows.min(1), rows.max(1), bits, trade, weight)
    profile = Profile(codec.get_config(), tuple(before.shape[1:]), grid)
    bound, most = codec.bound(profile), calibration.MAX_CONTEXTS
    calibration.MAX_CONTEXTS = most if contexts else 1
    profile = calibration.with_tables(profile, bound.levels(before.numpy()))
    calibration.MAX_CONTEXTS = most
    return codec.bound(profile)


def _sent(codec: Codec, features: Tensor) -> tuple[float, Tensor]:
    """Bits an element of whole payloads, and what is decoded."""
    payloads = codec.encode(features)
    return 8 * sum(map(len, payloads)) / features.numel(), torch.from_numpy(codec.decode(payloads))


def _squared_gradient(tail: nn.Module, before: Tensor, labels: Tensor) -> Any:
    """Mean of the squared gradient of the true class's logit, (C,)."""
    total = torch.zeros(before.shape[1])
    for some, right in zip(torch.split(before, 64), torch.split(labels, 64), strict=True):
        leaf = some.clone().requires_grad_()
        tail(leaf).gather(1, right[:, None]).sum().backward()
        assert leaf.grad is not None
        total += leaf.grad.square().flatten(2).sum((0, 2))
    return (total / before[:, 0].numel()).double().numpy()


def _renewed(tail: nn.Module, decoded: Tensor) -> nn.Module:
    """A tail whose BatchNorms have the mean and variance of decoded calibration features."""
    renewed = copy.deepcopy(tail)
    for module in renewed.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
            module.train()
    _answers(renewed, decoded)
    return renewed.eval()


@torch.no_grad()
def _answers(net: nn.Module, inputs: Tensor) -> Tensor:
    return torch.cat([net(some) for some in torch.split(inputs, 128)])


def summary(rows: list[dict[str, Any]]) -> str:
    """Of each condition and idea: the median over the points of the bits that lose < 1 point."""
    least: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for row in rows:
        point = least.setdefault((row["model"], row["data"]), {}).setdefault(row["idea"], {})
        bits = row["bits"] if row["lost"] < 0.01 else float("inf")
        point[row["point"]] = min(bits, point.get(row["point"], float("inf")))
    return "\n".join(
        f"{model:9} {data:9} {idea:32} median {np.median(list(points.values())):.3f} bit, "
        f"{sum(bits <= 0.6 for bits in points.values())} of {len(points)} points at most 0.6"
        for (model, data), ideas in least.items()
        for idea, points in ideas.items()
    )


def _images(data: Any, part: str, count: int) -> tuple[Tensor, Tensor]:
    images, labels = next(iter(data.loader(part, count)))
    return images, labels


def _net(model: str, data_name: str, data: Any, cache: Path) -> nn.Module:
    file = cache / f"{model}-{data_name}.pt"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        torch.save(trained(model, data).state_dict(), file)
    width = 0.25 if model == "vgg16" else 1.0
    net = build_backbone(model, data.num_classes, image_size=data.image_size, width=width)
    net.load_state_dict(torch.load(file, weights_only=True))
    return net.eval()


def _data(name: str, options: argparse.Namespace) -> Any:
    letters: dict[str, Any] = {"difficulty": 0.75, "train_images": 4000, "test_images": TEST_IMAGES}
    return build_data(
        name,
        root=options.data / "notmnist" if name == "notmnist" else None,
        image_size=64 if name == "letters" else 32,
        classes=None,
        images_per_class=None,
        validation_fraction=0.15,
        augment="none",
        mean=[0.485, 0.456, 0.406] if name == "letters" else 0.5,
        std=[0.229, 0.224, 0.225] if name == "letters" else 0.25,
        max_corrupt=0,
        download=False,
        num_workers=0,
        cache_dir=options.cache,
        seed=0,
        **(letters if name == "letters" else {}),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds notmnist/")
    every = range(len(CONDITIONS))
    parser.add_argument("--conditions", type=int, nargs="+", default=every, choices=every)
    parser.add_argument("--every", type=int, default=1, help="take each so-manieth point only")
    parser.add_argument(
        "--by-rate",
        type=int,
        nargs="*",
        default=[1, 2],
        choices=(1, 2),
        help="bits of ideas 2 to 8",
    )
    parser.add_argument("--cache", type=Path, default=Path("outputs/bench/ideas"))
    parser.add_argument("--json", type=Path, default=Path("outputs/bench/ideas.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
