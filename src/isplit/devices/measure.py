"""Latencies of a few nets on this machine, with the runtimes that are installed; nets by name."""

from __future__ import annotations

import importlib.util
import tempfile
import timeit
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isplit.devices.fitting import Net
from isplit.point import Work

if TYPE_CHECKING:
    from torch import Tensor, nn


def works_of(nets: Iterable[Net]) -> dict[Net, Work]:
    """The work of each net, counted in its graph; no weights are made."""
    return {net: _work(net) for net in nets}


def build(net: Net) -> nn.Module:
    """A net of torchvision with random weights, in eval mode.

    Raises:
        ValueError: torchvision has no such net, or not at this width.
    """
    from torchvision import models

    names = models.list_models(module=models)
    if net.model not in names:
        raise ValueError(f"model={net.model!r} is no classifier of torchvision: {', '.join(names)}")
    width: dict[str, Any] = {} if net.width_mult == 1 else {"width_mult": net.width_mult}
    try:
        model: nn.Module = models.get_model(net.model, weights=None, **width)
    except TypeError as error:
        raise ValueError(f"width_mult={net.width_mult:g}: {net.model} has one width") from error
    return model.eval()


@cache
def _work(net: Net) -> Work:
    import torch

    from isplit.graph import trace
    from isplit.graph.measure import total_work

    with torch.device("meta"):
        model, image = build(net), torch.empty(1, 3, net.image_size, net.image_size)
    return total_work(trace(model, image))


LIGHT = ("mobilenet_v2*0.35@128", "mobilenet_v2@224", "mobilenet_v3_large@224", "squeezenet1_1@224")
DENSE = ("resnet18@128", "resnet18@224", "resnet50@224")
NETS = tuple(map(Net.parse, LIGHT + DENSE))
WARM_UP = 3


def runtimes() -> list[str]:
    """What can be measured here: ``torch``, and ``onnxruntime`` where it and onnx are installed."""
    needed = ("onnxruntime", "onnx", "onnxscript")
    has_onnx = all(importlib.util.find_spec(name) for name in needed)
    return ["torch", *(["onnxruntime"] if has_onnx else [])]


def measure(
    names: Sequence[str], nets: Sequence[Net], threads: int, repeats: int
) -> Iterator[tuple[str, Net, list[float]]]:
    """Milliseconds of single runs of one image, after a warm-up, by runtime and net.

    Args:
        names: of the runtimes.
        nets: to run, with random weights.
        threads: of the runtime.
        repeats: runs that are timed.

    Raises:
        ValueError: a runtime or net is unknown or not installed, or nothing would run.
    """
    if wrong := [name for name in names if name not in runtimes()]:
        raise ValueError(f"--runtime {wrong[0]} is not installed here; {', '.join(runtimes())} are")
    for key, value in (("threads", threads), ("repeats", repeats)):
        if value < 1:
            raise ValueError(f"--{key} {value} is below 1")
    import torch

    works_of(nets)  # what torchvision does not have is said before anything is timed
    torch.set_num_threads(threads)
    prepare = {"torch": _in_torch, "onnxruntime": _in_onnxruntime}
    for net in nets:
        model, image = build(net), torch.rand(1, 3, net.image_size, net.image_size)
        for name in names:
            yield name, net, timed(prepare[name](model, image, threads), repeats)


def timed(run: Callable[[], object], repeats: int) -> list[float]:
    """Milliseconds of each of so many runs, after some that do not count."""
    seconds = timeit.repeat(run, number=1, repeat=WARM_UP + repeats)
    return [1000 * each for each in seconds[WARM_UP:]]


def _in_torch(model: nn.Module, image: Tensor, threads: int) -> Callable[[], object]:
    import torch

    return torch.inference_mode()(lambda: model(image))


def _in_onnxruntime(model: nn.Module, image: Tensor, threads: int) -> Callable[[], object]:
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        torch.onnx.export(model, (image,), path, dynamo=True, verbose=False)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: image.numpy()}
    return lambda: session.run(None, feed)
