"""What the CUI curve of all split points costs, against one bare forward and backward pass.

    python benchmarks/cui.py                     # VGG16 and ResNet-50 at 64 px, under 5 minutes
    python benchmarks/cui.py --size 224 --images 2 --batch 2 --json cui.json

Every way computes the same numbers (checked before anything is timed) at the same points, for the
same images, with weights that need no gradient. The ways take turns within each repeat, so that a
busy machine slows all of them; a ratio is taken within its repeat, and the table gives the median
of the ratios with the smallest and the largest.

floor         forward, then backward down to the first point, nothing else: the model as it is
isplit        importance_curves, everything included (tracing done before)
isplit bf16   the same with precision=bf16, where the hardware has bfloat16 (AMX or a GPU)
one by one    as the authors' code: one image at a time, every prefix run again for its features
captum        LayerGradCam once per point
grad-cam      pytorch-grad-cam once per point, through its public call
"""

from __future__ import annotations

import argparse
import copy
import logging
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, fx, nn
from torchvision.models import get_model

from isplit.files import write_json
from isplit.graph import split_at, split_points, trace
from isplit.importance import importance_curves
from isplit.importance.curve import CuiSettings
from isplit.importance.taps import tapped
from isplit.point import SplitPoint

CLASS_NAMES = [str(k) for k in range(10)]
SLOW = ("one by one", "captum", "grad-cam")
TOLERANCE = 1e-6  # relative to the highest value, between the ways, in float64


@dataclass(frozen=True)
class Case:
    """One model and its images, as every way gets them."""

    name: str
    net: nn.Module
    traced: fx.GraphModule
    points: list[SplitPoint]
    batches: list[tuple[Tensor, Tensor]]


def main() -> None:
    """Time every way on every model, print the table, write it as JSON if asked."""
    options = _options()
    torch.set_num_threads(options.threads)
    logging.getLogger("isplit").setLevel(logging.ERROR)  # a few images leave classes without any
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = []
    for model in options.models:
        case = _case(model, options, device)
        ways = _ways(case)
        _check_agreement(case)
        found = _rows(case, _timed(ways, options), options)
        print("\n".join(map(_line, found)), flush=True)
        rows += found
    if options.json:
        content = {"rows": rows, "device": device, **vars(options) | {"json": None}}
        write_json(options.json, content)


def floor(case: Case) -> None:
    """One forward and one backward pass that ends at the first point."""
    first = case.net.get_submodule(case.points[0].name)
    hook = first.register_forward_hook(lambda m, i, output: output.detach().requires_grad_())
    for images, labels in case.batches:
        case.net(images).gather(1, labels[:, None]).sum().backward()
    hook.remove()


def isplit(case: Case, precision: Literal["32", "bf16"] = "32") -> Tensor:
    """Ours: the CUI of every point."""
    settings = CuiSettings(precision=precision)
    curve = importance_curves(
        case.traced, case.points, case.batches, CLASS_NAMES, ["cui"], settings
    )["cui"]
    return torch.tensor(curve.values, dtype=torch.float64)


def one_by_one(case: Case) -> Tensor:
    """Batch size 1: gradients from one backward pass, features from one prefix run per point."""
    heads = [split_at(case.traced, point)[0].eval() for point in case.points]
    per_image = []
    for images, labels in case.batches:
        for image, label in zip(images[:, None], labels, strict=True):
            gradients: dict[int, Tensor] = {}

            def keep(point: int, _: Tensor, g: Tensor, into: dict[int, Tensor] = gradients) -> None:
                into[point] = g

            with tapped(case.traced, case.points, keep) as net:
                net(image)[0, label].backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                features = [head(image) for head in heads]
            per_image.append([_cui(f, gradients[p]) for p, f in enumerate(features)])
    return _class_mean(torch.tensor(per_image, dtype=torch.float64), case)


def captum(case: Case) -> Tensor:
    """LayerGradCam for one point after the other."""
    columns = []
    for point in case.points:
        cam = LayerGradCam(case.net, case.net.get_submodule(point.name))
        maps = [
            cam.attribute(x.requires_grad_(), y, relu_attributions=True) for x, y in case.batches
        ]
        columns.append(torch.cat(maps).mean((1, 2, 3)) / point.shape[0])
    return _class_mean(torch.stack(columns, 1), case)


def grad_cam(case: Case) -> Tensor:
    """pytorch-grad-cam for one point after the other; raw maps from what its call stores."""
    columns = []
    for point in case.points:
        cam = GradCAM(case.net, [case.net.get_submodule(point.name)])
        values = []
        for images, labels in case.batches:
            cam(images.requires_grad_(), [ClassifierOutputTarget(int(y)) for y in labels])
            stored = cam.activations_and_grads
            values += [
                _cui(f[None], g[None])
                for f, g in zip(stored.activations[0], stored.gradients[0], strict=True)
            ]
        cam.activations_and_grads.release()
        columns.append(torch.tensor(values, dtype=torch.float64))
    return _class_mean(torch.stack(columns, 1), case)


def _cui(features: Tensor, gradients: Tensor) -> float:
    alpha = gradients.mean((2, 3), keepdim=True)
    return float((alpha * features).mean(1).clamp(min=0).mean())


def _class_mean(values_NP: Tensor, case: Case) -> Tensor:  # noqa: N803
    values_NP = values_NP.cpu()
    labels = torch.cat([labels for _, labels in case.batches]).cpu()
    return torch.stack([values_NP[labels == k].mean(0) for k in torch.unique(labels)]).mean(0)


def _ways(case: Case) -> dict[str, Callable[[], Tensor | None]]:
    ways: dict[str, Callable[[], Tensor | None]] = {
        "floor": lambda: floor(case),
        "isplit": lambda: isplit(case),
        "isplit bf16": lambda: isplit(case, "bf16"),
        "one by one": lambda: one_by_one(case),
        "captum": lambda: captum(case),
        "grad-cam": lambda: grad_cam(case),
    }
    if not _has_bfloat16():
        del ways["isplit bf16"]
    return ways


def _check_agreement(case: Case) -> None:
    """Refuse to time ways that do not compute the same curve, in float64: float32 is chaotic."""
    net = copy.deepcopy(case.net).double()
    images, labels = case.batches[0][0][:2].double(), case.batches[0][1][:2]
    precise = Case(case.name, net, trace(net, images), case.points, [(images, labels)])
    expected = isplit(precise)
    for name in SLOW:
        found = _ways(precise)[name]()

        def differs(text: str, name: str = name) -> str:
            return f"{case.name}: {name} differs from isplit. {text}"

        torch.testing.assert_close(
            found,
            expected,
            rtol=0,
            atol=TOLERANCE * float(expected.max()),
            msg=differs,
        )


def _timed(
    ways: dict[str, Callable[[], Tensor | None]], options: argparse.Namespace
) -> dict[str, list[float]]:
    """Seconds of each way in each repeat; the slow ways sit out the later repeats."""
    for name in set(ways) - set(SLOW):
        ways[name]()  # warm up: memory and oneDNN's kernels for these shapes
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(options.repeats):
        for name, way in ways.items():
            if name not in SLOW or repeat < options.slow_repeats:
                seconds[name].append(_seconds(way))
    return seconds


def _seconds(way: Callable[[], object]) -> float:
    _synchronize()
    start = time.perf_counter()
    way()
    _synchronize()
    return time.perf_counter() - start


def _rows(
    case: Case, seconds: dict[str, list[float]], options: argparse.Namespace
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    measured = {name: own for name, own in seconds.items() if own}
    for name, own in measured.items():
        ratios = [a / b for a, b in zip(own, seconds["floor"], strict=False)]
        rows.append(
            {
                "name": f"{case.name} {name}",
                "ratio": statistics.median(ratios),
                "lowest": min(ratios),
                "highest": max(ratios),
                "seconds": statistics.median(own),
                "ratio_of_fastest": min(own) / min(seconds["floor"]),
                "repeats": len(own),
                "points": len(case.points),
                "size": options.size,
            }
        )
    if "isplit bf16" not in seconds:
        note = "skipped: no AMX and no GPU here, bfloat16 would be slower"
        rows.append({"name": f"{case.name} isplit bf16", "ratio": None, "note": note})
    return rows


def _line(row: dict[str, object]) -> str:
    if row["ratio"] is None:
        return f"{row['name']:22} {row['note']}"
    return (
        f"{row['name']:22} {row['ratio']:7.3f}x the floor  ({row['lowest']:.3f} to "
        f"{row['highest']:.3f} in {row['repeats']}; fastest/fastest {row['ratio_of_fastest']:.3f}) "
        f"{row['seconds']:8.3f} s for {row['points']} points at {row['size']} px"
    )


def _case(model: str, options: argparse.Namespace, device: str) -> Case:
    torch.manual_seed(0)
    net = get_model(model, weights=None).to(device).eval().requires_grad_(False)
    images = torch.randn(options.images, 3, options.size, options.size, device=device)
    labels = torch.arange(options.images, device=device) % len(CLASS_NAMES)
    _calibrate(net, images)
    traced = trace(net, images[:2])
    batches = list(
        zip(torch.split(images, options.batch), torch.split(labels, options.batch), strict=True)
    )
    return Case(model, net, traced, split_points(traced), batches)


def _calibrate(net: nn.Module, images: Tensor) -> None:
    """BatchNorm statistics of these images: an untrained ResNet-50 is chaotic without them."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    net.train()
    with torch.no_grad():
        net(images)
    net.eval()


def _has_bfloat16() -> bool:
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return torch.cuda.is_available() or "amx_bf16" in flags


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    first, _, rest = str(__doc__).partition("\n\n")
    parser = argparse.ArgumentParser(
        description=first, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["vgg16", "resnet50"], help="of torchvision")
    parser.add_argument("--size", type=int, default=64, help="pixels a side")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=9, help="of the floor and of isplit")
    parser.add_argument("--slow-repeats", type=int, default=1, help="of the other ways, may be 0")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
