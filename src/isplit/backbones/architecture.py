"""The layers of a backbone: torchvision's, or others that fit small images or weights in hand."""

from itertools import pairwise
from typing import Any
from urllib.error import URLError

import torch
from torch import nn
from torchvision import models
from torchvision.models.vgg import VGG, make_layers

from isplit.backbones.answer import size_errors
from isplit.backbones.checkpoint import State
from isplit.backbones.layout import SMALL_STEMS, Layout
from isplit.graph.layers import PLANS

IMAGENET_PX = 224
IMAGENET_POOL = 7
VGG_HIDDEN = 4096
RESNET_STEM_CHANNELS = 64
AUXILIARY = {"googlenet": ("aux1", "aux2"), "inception_v3": ("AuxLogits",)}
NORMALISED = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
"""How the published weights of ``AUXILIARY`` want their images."""


def fitted(layout: Layout, state: State | None = None) -> nn.Module:
    """The untrained model in the layout that fits the images, or else the weights in hand."""
    name, size = layout.architecture, layout.image_size
    if name.startswith("vgg"):
        published = size >= IMAGENET_PX if state is None else "classifier.6.weight" in state
        return _vgg(layout, IMAGENET_POOL if published else 1)
    settings: dict[str, Any] = {"num_classes": layout.num_classes}
    if name.startswith("vit"):
        settings["image_size"] = size
    if name.startswith("maxvit"):
        settings["input_size"] = (size, size)
    with size_errors(name, size):
        model = create(name, **settings)
    if layout.width != 1.0:
        _narrow(model, layout.width)
    if layout.stem_for(state) in SMALL_STEMS:
        channels = scaled(RESNET_STEM_CHANNELS, layout.width)
        small = nn.Conv2d(3, channels, kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(small.weight, mode="fan_out", nonlinearity="relu")
        model.set_submodule("conv1", small)
    if layout.stem == "cifar":
        model.set_submodule("maxpool", nn.Identity())
    return model


def downloaded(layout: Layout, published: Any) -> nn.Module:
    """The model with torchvision's weights, which exist for the published layers only."""
    weights = f"torchvision's {layout.architecture} weights have"
    if layout.width != 1.0:
        raise ValueError(f"model.width={layout.width}: {weights} width 1")
    if layout.stem in SMALL_STEMS:
        raise ValueError(f"model.stem={layout.stem}: {weights} another")
    try:
        return create(layout.architecture, weights=published)
    except URLError as error:
        raise ValueError(
            f"model.weights={published.name} cannot be fetched from {published.url}: {error.reason}"
        ) from error


def create(architecture: str, **settings: Any) -> nn.Module:
    """The model as torchvision has it, without auxiliary classifiers.

    Nor does it change the normalisation of its images: ``data.mean`` and ``data.std`` say it.
    """
    if architecture in AUXILIARY:
        published = settings.get("weights") is not None  # these must have all layers at first
        settings |= {"transform_input": False}
        settings |= {} if published else {"aux_logits": False, "init_weights": True}
    model: nn.Module = models.get_model(architecture, **settings)
    for name in AUXILIARY.get(architecture, ()):
        vars(model)["aux_logits"] = False
        setattr(model, name, None)
    return model


def scaled(channels: int, width: float) -> int:
    """That many channels times ``width``, at least one."""
    return max(1, round(channels * width))


def _narrow(model: nn.Module, width: float) -> None:
    """Renew every layer of a ResNet with its channels times ``width``, untrained."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Conv2d):
            inputs = layer.in_channels if name == "conv1" else scaled(layer.in_channels, width)
            shape: dict[str, Any] = {"kernel_size": layer.kernel_size, "stride": layer.stride}
            shape |= {"padding": layer.padding, "bias": False}
            conv = nn.Conv2d(inputs, scaled(layer.out_channels, width), **shape)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            new: nn.Module = conv
        elif isinstance(layer, nn.BatchNorm2d):
            new = nn.BatchNorm2d(scaled(layer.num_features, width))
        elif isinstance(layer, nn.Linear):
            new = nn.Linear(scaled(layer.in_features, width), layer.out_features)
        else:
            continue
        model.set_submodule(name, new)


def _vgg(layout: Layout, pool: int) -> nn.Module:
    """VGG with all channels times the width, classifying ``pool`` x ``pool`` maps."""
    name, width = layout.architecture, layout.width
    plan = [v if v == "M" else scaled(v, width) for v in PLANS[name[:5]]]
    features = make_layers(plan, batch_norm=name.endswith("_bn"))
    with torch.device("meta"):  # the classifier it makes first has 120 million weights
        model: nn.Module = VGG(features)
    model.avgpool = nn.AdaptiveAvgPool2d(pool)
    channels, hidden = plan[-2], round(VGG_HIDDEN * width)
    sizes = [channels, channels] if pool == 1 else [channels * pool**2, hidden, hidden]
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True), nn.Dropout()]
    model.classifier = nn.Sequential(*layers, nn.Linear(sizes[-1], layout.num_classes))
    return model
