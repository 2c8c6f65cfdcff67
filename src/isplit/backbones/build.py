"""Build a classifier of torchvision for a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision import models
from torchvision.models.vgg import VGG, make_layers

from isplit.backbones.checkpoint import SUFFIXES, State, load_state, read_state
from isplit.graph.aliases import PLANS, with_aliases
from isplit.types import SplitPoint

BACKBONES = ("vgg16", "resnet18", "resnet50", "resnet152", "mobilenet_v3_small", "torchvision")
STEMS = ("auto", "imagenet", "small")
RESNETS = ("resnet", "resnext", "wide_resnet")
IMAGENET_PX = 224
IMAGENET_POOL = 7
VGG_HIDDEN = 4096
RESNET_STEM_CHANNELS = 64
SMALL_KERNEL = 3
SMALL_STEM_BELOW_PX = 64


def build_backbone(
    name: str,
    num_classes: int,
    *,
    image_size: int,
    weights: str | Path | None = None,
    width: float = 1.0,
    batch_norm: bool = True,
    stem: str = "auto",
    dropout: float | None = None,
    arch: str | None = None,
) -> nn.Module:
    """A classifier for ``num_classes`` classes of RGB images of ``image_size`` pixels a side.

    Where nothing is pretrained, small images get small layers: VGG below 224 px a 1x1 average pool
    and a small classifier, ResNet below 64 px a 3x3 stem of stride 1 (its pooling stays, and with
    it every split point).

    Args:
        name: one of ``BACKBONES``.
        num_classes: of the data set; weights made for another number get a new last layer.
        image_size: pixels of a side.
        weights: name among torchvision's of the architecture (``DEFAULT``, ``IMAGENET1K_V1``), or
            a file of the user's own: ``.safetensors``, ``.ckpt`` or ``.pth``.
        width: factor on the channels of VGG.
        batch_norm: VGG with batch normalisation.
        stem: of a ResNet: ``auto``, ``imagenet`` (7x7, stride 2) or ``small`` (3x3, stride 1).
        dropout: probability of the dropout layers; ``None`` keeps the architecture's.
        arch: torchvision's name of the architecture, for ``name="torchvision"``.

    Raises:
        ValueError: an unknown name, a setting the architecture does not have, images too small
            for it, or weights of another architecture.
        FileNotFoundError: the weights file is not there.
    """
    architecture = _architecture(name, arch, batch_norm)
    _check_settings(architecture, width, stem)
    published = _published(architecture, weights)
    if published is not None:
        model = _downloaded(architecture, published, width, stem)
        _renew_head(model, num_classes)
    else:
        model = _fitted(architecture, num_classes, image_size, width, stem, None)
        if weights is not None:  # they may have another layout than the images ask for
            state = read_state(Path(weights), wanted=model.state_dict())
            model = _fitted(architecture, num_classes, image_size, width, stem, state)
            load_state(model, state, Path(weights), head_path(model))
    if dropout is not None:
        _set_dropout(model, architecture, dropout)
    _check_runs(model, architecture, image_size)
    return model


def friendly_names(name: str, points: Sequence[SplitPoint]) -> list[SplitPoint]:
    """The points with the papers' names as aliases: VGG's ``block1_conv1`` to ``block5_pool``.

    Args:
        name: of the backbone, or torchvision's of the architecture.
        points: from :func:`isplit.graph.split_points`.
    """
    return with_aliases(name, points)


def head_path(model: nn.Module) -> str:
    """Path of the layer that gives the logits: the last linear one, else the last convolution.

    >>> head_path(models.get_model("squeezenet1_1", weights=None))
    'classifier.1'
    """
    layers = list(model.named_modules())
    linear: list[str] = [path for path, module in layers if isinstance(module, nn.Linear)]
    return linear[-1] if linear else [p for p, m in layers if isinstance(m, nn.Conv2d)][-1]


def comes_trained(model: nn.Module, weights: str | Path | None) -> bool:
    """Whether the weights are a file of the user's own that fits the classes: nothing to train."""
    if weights is None or Path(weights).suffix not in SUFFIXES:
        return False
    state, head = read_state(Path(weights), list(model.state_dict())), f"{head_path(model)}.weight"
    return head in state and state[head].shape == model.state_dict()[head].shape


def _architecture(name: str, arch: str | None, batch_norm: bool) -> str:
    """The name torchvision has for a backbone."""
    if name not in BACKBONES:
        choices = ", ".join(BACKBONES)
        raise ValueError(
            f"model.name={name!r} is none of: {choices} "
            "(any other classifier of torchvision: model=torchvision model.arch=...)"
        )
    if name != "torchvision":
        return f"{name}_bn" if name in PLANS and batch_norm else name
    choices = models.list_models(module=models)
    if arch is None or arch not in choices:
        raise ValueError(f"model.arch={arch!r} is none of torchvision's: {', '.join(choices)}")
    return arch


def _check_settings(architecture: str, width: float, stem: str) -> None:
    if width <= 0:
        raise ValueError(f"model.width={width} is not above 0")
    if width != 1.0 and not architecture.startswith("vgg"):
        raise ValueError(f"model.width={width} is for VGG; {architecture} has only width 1")
    if stem not in STEMS:
        raise ValueError(f"model.stem={stem!r} is none of: {', '.join(STEMS)}")
    if stem == "small" and not architecture.startswith(RESNETS):
        raise ValueError(f"model.stem=small is for ResNets; {architecture} has its own")


def _published(architecture: str, weights: str | Path | None) -> Any:
    """The published weights of that name; ``None`` when it is a file or nothing."""
    if weights is None or Path(weights).suffix in SUFFIXES:
        return None
    known = models.get_model_weights(architecture).__members__
    if str(weights) not in known:
        raise ValueError(
            f"model.weights={str(weights)!r} is neither a file ({', '.join(SUFFIXES)}) "
            f"nor one of {architecture}'s: {', '.join(known)}"
        )
    return known[str(weights)]


def _downloaded(architecture: str, published: Any, width: float, stem: str) -> nn.Module:
    """The model with torchvision's weights, which exist for the published layers only."""
    if width != 1.0:
        raise ValueError(f"model.width={width}: torchvision's {architecture} weights have width 1")
    if stem == "small":
        raise ValueError(f"model.stem=small: torchvision's {architecture} weights have another")
    try:
        return _create(architecture, weights=published)
    except URLError as error:
        raise ValueError(
            f"model.weights={published.name} cannot be fetched from {published.url}: {error.reason}"
        ) from error


def _create(architecture: str, **settings: Any) -> nn.Module:
    """The model as torchvision has it, without auxiliary classifiers."""
    if architecture in ("googlenet", "inception_v3"):
        settings |= {"aux_logits": False, "init_weights": settings.get("weights") is None}
    model: nn.Module = models.get_model(architecture, **settings)
    return model


def _fitted(
    architecture: str,
    num_classes: int,
    image_size: int,
    width: float,
    stem: str,
    state: State | None,
) -> nn.Module:
    """The untrained model in the layout that fits the images, or else the weights in hand."""
    if architecture.startswith("vgg"):
        published = image_size >= IMAGENET_PX if state is None else "classifier.6.weight" in state
        return _vgg(architecture, num_classes, width, IMAGENET_POOL if published else 1)
    settings: dict[str, Any] = {"num_classes": num_classes}
    if architecture.startswith("vit"):
        settings["image_size"] = image_size
    if architecture.startswith("maxvit"):
        settings["input_size"] = (image_size, image_size)
    with _size_errors(architecture, image_size):
        model = _create(architecture, **settings)
    if _has_small_stem(architecture, stem, image_size, state):
        small = nn.Conv2d(3, RESNET_STEM_CHANNELS, kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(small.weight, mode="fan_out", nonlinearity="relu")
        model.set_submodule("conv1", small)
    return model


def _vgg(architecture: str, num_classes: int, width: float, pool: int) -> nn.Module:
    """VGG with all channels times ``width``, classifying ``pool`` x ``pool`` maps."""
    plan = [v if v == "M" else max(1, round(v * width)) for v in PLANS[architecture[:5]]]
    features = make_layers(plan, batch_norm=architecture.endswith("_bn"))
    with torch.device("meta"):  # the classifier it makes first has 120 million weights
        model: nn.Module = VGG(features)
    model.avgpool = nn.AdaptiveAvgPool2d(pool)
    channels = plan[-2]
    hidden = round(VGG_HIDDEN * width)
    sizes = [channels, channels] if pool == 1 else [channels * pool**2, hidden, hidden]
    model.classifier = _classifier(sizes, num_classes)
    return model


def _classifier(sizes: Sequence[int], num_classes: int) -> nn.Sequential:
    """Linear layers through ``sizes`` with ReLU and dropout between, as VGG has them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True), nn.Dropout()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes))


def _has_small_stem(architecture: str, stem: str, image_size: int, state: State | None) -> bool:
    if not architecture.startswith(RESNETS):
        return False
    if stem != "auto":
        return stem == "small"
    if state is not None and "conv1.weight" in state:
        return state["conv1.weight"].shape[-1] == SMALL_KERNEL
    return image_size < SMALL_STEM_BELOW_PX


def _renew_head(model: nn.Module, num_classes: int) -> None:
    """A new last layer, unless it has that many classes already."""
    path = head_path(model)
    old = model.get_submodule(path)
    if isinstance(old, nn.Linear):
        if old.out_features == num_classes:
            return
        new: nn.Module = nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
    else:
        assert isinstance(old, nn.Conv2d)
        new = nn.Conv2d(old.in_channels, num_classes, kernel_size=1)
    model.set_submodule(path, new)


def _set_dropout(model: nn.Module, architecture: str, dropout: float) -> None:
    if not 0 <= dropout < 1:
        raise ValueError(f"model.dropout={dropout} is not in [0, 1)")
    layers = [m for m in model.modules() if isinstance(m, nn.Dropout) and m.p > 0]
    if not layers:
        raise ValueError(f"model.dropout={dropout}: {architecture} has no dropout; leave it out")
    for layer in layers:
        layer.p = dropout


def _check_runs(model: nn.Module, architecture: str, image_size: int) -> None:
    """Raises a ValueError when the model has no answer to images of that size."""
    training = model.training
    try:
        with (
            _size_errors(architecture, image_size),
            FakeTensorMode(allow_non_fake_inputs=True),
            torch.no_grad(),
        ):
            model.eval()(torch.empty(1, 3, image_size, image_size))
    finally:
        model.train(training)


@contextmanager
def _size_errors(architecture: str, image_size: int) -> Iterator[None]:
    """Turns whatever torch says about shapes into a ValueError that names the key."""
    try:
        yield
    except Exception as error:  # an AssertionError, RuntimeError or ValueError, as it comes
        raise ValueError(
            f"{architecture} does not run on data.image_size={image_size}: {error}"
        ) from error
