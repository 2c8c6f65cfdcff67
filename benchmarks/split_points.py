"""Every split point of every classifier of torchvision, and of sixty models of timm, bit for bit.

python benchmarks/split_points.py --json PATH           80 models, 20 minutes of one core
python benchmarks/split_points.py --timm --json PATH    60 models, 20 minutes
"""

from __future__ import annotations

import argparse
import gc
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, fx, nn
from torchvision import models

from isplit.backbones import build_backbone
from isplit.files import write_json
from isplit.graph import split_at, split_points, trace
from isplit.graph.check import moved_constants
from isplit.point import SplitPoint

IMAGE_PX = 64
"""Large enough for most models; bits do not care for more."""
TORCHVISION_PX = {"inception_v3": 96, "maxvit_t": 224, "vit_h_14": 56}
SHOWN = 3

TIMM_MODELS = (
    "beit_base_patch16_224",
    "cait_xxs24_224",
    "coat_tiny",
    "coatnet_nano_rw_224",
    "convit_tiny",
    "convmixer_768_32",
    "convnext_atto",
    "convnextv2_atto",
    "crossvit_tiny_240",
    "cspdarknet53",
    "cspresnet50",
    "davit_tiny",
    "deit_tiny_patch16_224",
    "densenet121",
    "dla34",
    "dpn68",
    "eca_resnet33ts",
    "edgenext_xx_small",
    "efficientformer_l1",
    "efficientnet_b0",
    "efficientvit_b0",
    "fastvit_t8",
    "focalnet_tiny_srf",
    "gcvit_xxtiny",
    "gernet_s",
    "ghostnet_100",
    "hrnet_w18_small",
    "inception_resnet_v2",
    "inception_v4",
    "lcnet_050",
    "levit_128s",
    "mambaout_femto",
    "mixer_s32_224",
    "mixnet_s",
    "mobilenetv2_050",
    "mobilenetv3_small_050",
    "mobilenetv4_conv_small",
    "mobileone_s0",
    "mobilevit_xxs",
    "mvitv2_tiny",
    "nf_regnet_b1",
    "pit_ti_224",
    "poolformer_s12",
    "pvt_v2_b0",
    "regnetx_002",
    "regnety_002",
    "repvgg_a0",
    "res2net50_26w_4s",
    "resmlp_12_224",
    "resnest14d",
    "resnet18",
    "resnetv2_50",
    "rexnet_100",
    "selecsls42",
    "seresnet50",
    "skresnet18",
    "swin_tiny_patch4_window7_224",
    "tf_efficientnetv2_b0",
    "vit_tiny_patch16_224",
    "xception41",
)


@dataclass(frozen=True)
class Verdict:
    """What trying every split point of a model came to.

    Attributes:
        name: of the model.
        points: split points at granularity ``all``.
        layers: split points at granularity ``layer``.
        unknown: of these, those whose channels the graph does not tell.
        bitwise: whether every one of them gave the model's answer, bit for bit.
        reason: why not, or ``None``.
        seconds: it took.
    """

    name: str
    points: int
    layers: int
    unknown: int
    bitwise: bool
    reason: str | None
    seconds: float


def check(name: str, model: nn.Module, image: Tensor) -> Verdict:
    """Tries head and tail at every split point on two random images; the trace has seen one."""
    start = time.perf_counter()
    points: list[SplitPoint] = []
    layers: list[SplitPoint] = []
    try:
        traced = trace(model.eval(), image)
        points, layers = split_points(traced, "all"), split_points(traced, "layer")
        with torch.no_grad(), moved_constants(model):
            reason = _difference(model, traced, points, torch.randn(2, *image.shape[1:]))
    except (ValueError, RuntimeError) as error:
        reason = str(error)
    unknown = sum(point.channels_last is None for point in layers)
    seconds = round(time.perf_counter() - start, 2)
    return Verdict(name, len(points), len(layers), unknown, reason is None, reason, seconds)


def torchvision_model(name: str, pixels: int) -> tuple[nn.Module, Tensor]:
    """A classifier of torchvision with random weights, and one image it takes."""
    net = build_backbone("torchvision", 1000, arch=name, image_size=pixels)
    return net, torch.randn(1, 3, pixels, pixels)


def timm_model(name: str) -> tuple[nn.Module, Tensor]:
    """A classifier of timm with random weights, and one image it takes."""
    import timm  # not everybody has it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: nn.Module = timm.create_model(name, pretrained=False)
    settings: Any = model.pretrained_cfg
    return model, torch.randn(1, *settings["input_size"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("models", nargs="*", help="only these")
    parser.add_argument("--timm", action="store_true", help="models of timm, not of torchvision")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write what is printed there")
    given = parser.parse_args(arguments)
    names = given.models or (TIMM_MODELS if given.timm else models.list_models(module=models))
    verdicts = []
    progress = Console(stderr=True)
    for name in track(names, "trying every split point", console=progress):
        torch.manual_seed(0)
        pixels = TORCHVISION_PX.get(name, IMAGE_PX)
        built = timm_model(name) if given.timm else torchvision_model(name, pixels)
        verdicts.append(check(name, *built))
        answer = verdicts[-1].reason or "bit-equal"
        progress.print(f"{name}: {verdicts[-1].points} points, {answer}", highlight=False)
        gc.collect()
    Console().print(_verdicts_table(verdicts))
    if given.json:
        write_json(given.json, {"models": [asdict(verdict) for verdict in verdicts]})


def _difference(
    model: nn.Module, traced: fx.GraphModule, points: Sequence[SplitPoint], images: Tensor
) -> str | None:
    """Where head and tail do not give the model's answer; ``None`` if they do everywhere."""
    expected = model(images)
    if not expected.isfinite().all() or torch.equal(expected[0], expected[1]):
        return "its answers are not finite or do not depend on the image: nothing to compare"
    wrong = []
    for point in points:
        head, tail = split_at(traced, point)
        if not torch.equal(tail(head(images)), expected):
            wrong.append(point.name)
    return f"{len(wrong)} points differ: {', '.join(wrong[:SHOWN])}" if wrong else None


def _verdicts_table(verdicts: Sequence[Verdict]) -> Table:
    equal = [verdict for verdict in verdicts if verdict.bitwise]
    points = sum(verdict.points for verdict in equal)
    title = f"{len(equal)} of {len(verdicts)} models, {points} split points: bit-equal"
    table = Table("model", title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("layers", "unknown", "points", "bit-equal", "seconds"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for v in verdicts:
        answer = "yes" if v.bitwise else "no"
        counts = (str(v.layers), str(v.unknown), str(v.points))
        table.add_row(v.name, *counts, answer, f"{v.seconds:.1f}", v.reason or "")
    return table


if __name__ == "__main__":
    main()
