"""The layers of a backbone: torchvision's, or others that fit small images or weights in hand."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.error import URLError

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision import models
from torchvision.models.vgg import VGG, make_layers

from isplit.backbones.weights_file import State
from isplit.graph.layers import PLANS
from isplit.graph.tracing import eval_mode

RESNETS = ("resnet", "resnext", "wide_resnet")
SMALL_STEMS = ("small", "cifar")
IMAGENET_PX = 224
IMAGENET_POOL = 7
VGG_HIDDEN = 4096
RESNET_STEM_CHANNELS = 64
SMALL_KERNEL = 3
SMALL_STEM_BELOW_PX = 64


@dataclass(frozen=True)
class Layout:
    """What decides the layers of a backbone, as ``build_backbone`` has them.

    Attributes:
        architecture: torchvision's name.
    """

    architecture: str
    num_classes: int
    image_size: int
    width: float
    stem: str


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
    with _size_errors(name, size):
        model = create(name, **settings)
    if layout.width != 1.0:
        _narrow(model, layout.width)
    if stem_for(layout, state) in SMALL_STEMS:
        channels = scaled(RESNET_STEM_CHANNELS, layout.width)
        small = nn.Conv2d(3, channels, kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(small.weight, mode="fan_out", nonlinearity="relu")
        model.set_submodule("conv1", small)
    if layout.stem == "cifar":
        model.set_submodule("maxpool", nn.Identity())
    return model


def stem_for(layout: Layout, state: Mapping[str, torch.Tensor] | None = None) -> str:
    """The stem that ``auto`` stands for: that of weights in hand, else what suits the images."""
    if not layout.architecture.startswith(RESNETS) or layout.stem != "auto":
        return layout.stem
    if state is not None and "conv1.weight" in state:
        return "small" if state["conv1.weight"].shape[-1] == SMALL_KERNEL else "imagenet"
    return "small" if layout.image_size < SMALL_STEM_BELOW_PX else "imagenet"


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


def renew_head(model: nn.Module, num_classes: int, path: str) -> None:
    """A new last layer at ``path``, unless it has that many classes already."""
    old = model.get_submodule(path)
    if isinstance(old, nn.Linear):
        if old.out_features == num_classes:
            return
        new: nn.Module = nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
    else:
        assert isinstance(old, nn.Conv2d)
        new = nn.Conv2d(old.in_channels, num_classes, kernel_size=1)
    model.set_submodule(path, new)


def keep_outputs(model: nn.Module, chosen: Sequence[int], path: str) -> nn.Module:
    """``model`` with these outputs of its last layer at ``path`` alone, in their order."""
    old = model.get_submodule(path)
    assert isinstance(old, nn.Linear | nn.Conv2d)
    renew_head(model, len(chosen), path)
    new = model.get_submodule(path)
    new.load_state_dict({name: tensor[list(chosen)] for name, tensor in old.state_dict().items()})
    return model


def answer_shape(model: nn.Module, image_size: int, channels: int = 3) -> tuple[int, ...]:
    """Shape of the model's answer to one image; computes nothing, raises what the forward does.

    Raises:
        TypeError: the answer is no tensor.
    """
    with eval_mode(model), FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        answer = model(torch.empty(1, channels, image_size, image_size))
    if not isinstance(answer, torch.Tensor):
        raise TypeError(_how_to_wrap(answer))
    return tuple(answer.shape)


def check_runs(model: nn.Module, architecture: str, image_size: int) -> None:
    """Refuse with a ValueError a size of images that the model does not run on."""
    with _size_errors(architecture, image_size):
        answer_shape(model, image_size)


def create(architecture: str, **settings: Any) -> nn.Module:
    """The model as torchvision has it, without auxiliary classifiers."""
    if architecture in ("googlenet", "inception_v3"):
        settings |= {"aux_logits": False, "init_weights": settings.get("weights") is None}
    model: nn.Module = models.get_model(architecture, **settings)
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


def _how_to_wrap(answer: Any) -> str:
    if isinstance(answer, Mapping):
        which = f"[{next(iter(answer), 'logits')!r}]"
        kind = f"a dictionary of {', '.join(map(str, answer))}"
    else:
        which, kind = "[0]", f"a {type(answer).__name__}"
    return f"gives {kind}, not logits: wrap it in a module whose forward returns net(x){which}"


@contextmanager
def _size_errors(architecture: str, image_size: int) -> Iterator[None]:
    """Turns whatever torch says about shapes into a ValueError that names the key."""
    try:
        yield
    except Exception as error:  # an AssertionError, RuntimeError or ValueError, as it comes
        raise ValueError(
            f"{architecture} does not run on data.image_size={image_size}: {error}"
        ) from error
