"""A classifier of the user's own: any module from images to logits."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.nn.parameter import is_lazy

from isplit.backbones.answer import answer_shape
from isplit.backbones.checkpoint import load_state
from isplit.backbones.weights_file import read_state
from isplit.graph import uncompiled

OTHER_CHANNELS = (1, 4)


def adopt(
    net: nn.Module,
    num_classes: int,
    *,
    image_size: int,
    weights: str | Path | None = None,
    weights_key: str | None = None,
    head: str | None = None,
) -> nn.Module:
    """``net`` with the weights of a file, after a check that it fits the data.

    Args:
        net: from images (N, 3, S, S) to logits (N, classes), in float32; ``torch.compile`` is
            undone.
        num_classes: of the data set.
        image_size: pixels of a side.
        weights: a file that torch or safetensors wrote, of all of ``net``.
        weights_key: which of several nets in that file.
        head: path of the classifier, where it is not the layer that reaches the answer last.

    Raises:
        ValueError: it is no module, cannot be split or stored, does not run on such images, gives
            another number of logits, or the weights are of another architecture.
        FileNotFoundError: the weights file is not there.
    """
    for reason in obstacles(net):
        raise ValueError(f"model.net={type(net).__name__}: {reason}")
    net = uncompiled(net)
    logits = _logits_of(net, image_size)
    if logits != (1, num_classes):
        raise ValueError(
            f"model.net gives {logits} for one image, the data has {num_classes} classes: "
            f"(1, {num_classes}) is needed"
        )
    if weights is not None:
        path = Path(weights)
        state = read_state(path, net.state_dict(), weights_key)
        load_state(net, state, path, head)
    return net


def obstacles(net: object) -> Iterator[str]:
    """Why what should be a module cannot be split or stored, and what to do."""
    if not isinstance(net, nn.Module):
        yield "it is no torch.nn.Module"
        return
    for path, module in net.named_modules():
        if isinstance(module, (DataParallel, DistributedDataParallel)):
            yield f"{path or 'it'} is a {type(module).__name__}: give the .module in it"
        if isinstance(module, torch.jit.ScriptModule):
            yield f"{path or 'it'} is TorchScript, which cannot be split: give the module itself"
    for path, tensor in [*net.named_parameters(), *net.named_buffers()]:
        if is_lazy(tensor):
            yield f"{path} of a lazy layer has no shape yet: call the net once on images"
        elif tensor.is_meta:
            yield f"{path} is on the meta device, without values"
        elif tensor.is_floating_point() and tensor.dtype != torch.float32:
            yield f"{path} is {tensor.dtype}: isplit computes in float32, call .float()"
    for path, value in net.state_dict().items():
        if not isinstance(value, torch.Tensor):
            yield f"{path} is state that is no tensor, which is not stored: keep it elsewhere"


def _logits_of(net: nn.Module, image_size: int) -> tuple[int, ...]:
    """Shape of its answer to one image; else what it would run on, or what went wrong."""
    name = type(net).__name__
    try:
        return answer_shape(net, image_size)
    except TypeError as error:
        raise ValueError(f"model.net={name} cannot be taken: it {error}") from error
    except Exception as error:  # whatever a user's forward raises
        for channels in OTHER_CHANNELS:
            if _runs_on(net, image_size, channels):
                raise ValueError(
                    f"model.net={name} takes images with {channels} channels, isplit gives RGB "
                    "images, 3 channels: put a layer before it that makes them"
                ) from error
        reason = str(error)
        if "local_scalar" in reason or "data-dependent" in reason.lower():
            reason = "it decides by the values of the image, which a graph cannot follow"
        raise ValueError(
            f"{name} does not run on data.image_size={image_size}: {reason}"
        ) from error


def _runs_on(net: nn.Module, image_size: int, channels: int) -> bool:
    try:
        answer_shape(net, image_size, channels)
    except Exception:  # as above
        return False
    return True
