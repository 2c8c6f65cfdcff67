"""How each way of training a split compares with the others: accuracy, steps, cost.

    python benchmarks/recipes.py outputs/bench/recipes.jsonl vgg16_small-letters-0.984

A line of JSON for each recipe at each split point, written as soon as it is measured; what stands
in the file already is left out, so that the command goes on where it was stopped. All recipes of a
condition (docs/recipes.md) share the baseline, and those with equal autoencoders share these.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from isplit import config, stages
from isplit.bottleneck import make_bottleneck
from isplit.evaluate import macs
from isplit.graph import split_at
from isplit.model import SplitModel
from isplit.point import SplitPoint
from isplit.runs.base import Base, open_baseline, workbench
from isplit.stages import Recipe, Stored, Workbench, seeded
from isplit.stages.recipe import TAUGHT

CONF = Path(__file__).parents[1] / "conf"
NOTMNIST = ("data=notmnist", "data.root=../shared/data/notmnist")
TINY = (
    "data=tiny_imagenet_groups",
    "data.root=../shared/data/tiny-imagenet-200-subset.tar",
    "data.augment=crop_flip",
)
VGG = "[block1_pool,block3_pool,block5_conv2]"
RESNET = "[relu,layer1.1,layer3.0]"

NETS: dict[str, tuple[str, ...]] = {
    "vgg16_tiny": ("model=vgg16_tiny", f"split.layer={VGG}"),
    "vgg16_small": ("model=vgg16_small", f"split.layer={VGG}"),
    "resnet18": ("model=resnet18", "model.width=0.25", f"split.layer={RESNET}"),
}
DATA = {"letters": ("data=letters",), "notmnist": NOTMNIST, "tiny": TINY}


@dataclass(frozen=True)
class Way:
    """A recipe for both stages, in steps of 64 images."""

    encode: dict[str, Any]
    tune: dict[str, Any]


SHORT = {"epochs": 1, "images": 3000}  # 47 steps
EVEN = {"epochs": 4, "images": 3000}  # with one epoch of the autoencoder as many steps as SHORT
LONG = {"epochs": 3}
BOTH, HIGH = {"loss": "both"}, {"learning_rate": 2e-3}

WAYS: dict[str, Way] = {
    "paper": Way({}, SHORT),
    "low": Way({}, SHORT | {"learning_rate": 1e-4}),
    "high": Way({}, SHORT | HIGH),
    "both": Way({}, SHORT | BOTH),
    "both-high": Way({}, SHORT | BOTH | HIGH),
    "parts": Way({}, SHORT | BOTH | HIGH | {"net_learning_rate": 5e-4}),
    "mending": Way({}, SHORT | BOTH | HIGH | {"net_learning_rate": "auto"}),
    "distill": Way({"loss": "distill"}, SHORT),
    "distill-both-high": Way({"loss": "distill"}, SHORT | BOTH | HIGH),
    "even": Way({"epochs": 1}, EVEN),
    "even-both-high": Way({"epochs": 1}, EVEN | BOTH | HIGH),
    "long": Way({}, LONG),
    "long-both-high": Way({}, LONG | BOTH | HIGH),
}


def main() -> None:
    """Measure the recipes asked for on a condition, point by point."""
    options = _options()
    torch.set_num_threads(1)
    for name in ("isplit", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    cfg = _config(options)
    bench = workbench(cfg)
    base = open_baseline(cfg, bench)
    layers = config.plain(cfg.split.layer)
    points = [p for p in base.points if p.index in layers or p.label in layers]
    known = _known(options.out)
    for name in options.recipes:
        for point in points:
            key = (options.condition, cfg.seed, name, point.label)
            if key in known:
                continue
            row = _measured(cfg, bench, base, point, WAYS[name])
            row = dict(zip(("condition", "seed", "recipe", "point"), key, strict=True)) | row
            with options.out.open("a") as file:
                file.write(json.dumps(row) + "\n")


def _measured(
    cfg: DictConfig, bench: Workbench, base: Base, point: SplitPoint, way: Way
) -> dict[str, Any]:
    """Accuracies on the test images, validation before and after, steps and training's MACs."""
    encode = replace(config.recipe(cfg, "autoencoder"), **way.encode)
    tune = replace(config.fine_tuning(cfg), **way.tune)
    head, tail = split_at(copy.deepcopy(base.traced), point)
    with seeded(bench.seed, "bottleneck", point.node):
        split = SplitModel(head, make_bottleneck(point, config.rate_of(cfg)(point)), tail)
    inner = macs(split.bottleneck, point.shape)
    encoded = stages.autoencoder(bench, split, point, base.stored, encode)
    tuned = stages.finetune(bench, split, encoded, tune)
    history = [row["finetune/val_accuracy"] for row in tuned.made.facts["history"]]
    whole = point.head_macs + point.tail_macs
    shown = _seen(bench, encode), _seen(bench, tune)
    per_image = (
        3 * inner + (3 * point.tail_macs if encode.loss == "distill" else 0),
        3 * (whole + inner) + (whole if tune.loss in TAUGHT else 0),
    )
    return {
        "unsplit": _accuracy(base.stored),
        "after_autoencoder": _accuracy(encoded),
        "after_finetune": _accuracy(tuned),
        "validation": [history[0], max(history)],
        "steps": sum(images // encode.batch_size for images in shown),
        "macs": sum(n * cost for n, cost in zip(shown, per_image, strict=True)),
        "epochs_of_the_unsplit_net": sum(n * c for n, c in zip(shown, per_image, strict=True))
        / (3 * whole * len(bench.training_images(tune).dataset)),  # type: ignore[arg-type]
    }


def _seen(bench: Workbench, recipe: Recipe) -> int:
    """Images that a stage trains on, each as often as it comes."""
    return recipe.epochs * len(bench.training_images(recipe)) * recipe.batch_size


def _accuracy(stage: Stored) -> float:
    return stages.tested(stage).accuracy


def _known(out: Path) -> set[tuple[Any, ...]]:
    lines: Iterator[str] = iter(out.read_text().splitlines()) if out.exists() else iter(())
    names = ("condition", "seed", "recipe", "point")
    return {tuple(row[name] for name in names) for row in map(json.loads, lines)}


def _config(options: argparse.Namespace) -> DictConfig:
    net, data, rate = options.condition.split("-")
    out = options.out.resolve().parent
    asked = [*NETS[net], *DATA[data], f"bottleneck.compression_rate={rate}", *options.override]
    asked += [f"paths.{name}={out / name}" for name in ("root", "output", "store", "cache")]
    quiet = ["recipe=paper", "logger=none", "trainer.progress=none", "trainer.threads=1"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [*asked, *quiet])


def _options() -> argparse.Namespace:
    first, _, rest = str(__doc__).partition("\n\n")
    parser = argparse.ArgumentParser(
        description=first, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="a file of lines; store and cache lie beside it")
    parser.add_argument("condition", help=f"NET-DATA-RATE, of {', '.join(NETS)}; {', '.join(DATA)}")
    parser.add_argument("--recipes", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--override", nargs="*", default=[], help="more keys of train.py")
    return parser.parse_args()


if __name__ == "__main__":
    main()
