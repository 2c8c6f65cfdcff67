"""Build a classifier of torchvision for a data set."""

import inspect
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

from isplit.backbones.answer import answer_shape, size_errors
from isplit.backbones.architecture import AUXILIARY, NORMALISED, downloaded, fitted
from isplit.backbones.checkpoint import State, load_state, renew_head
from isplit.backbones.layout import Layout
from isplit.backbones.weights_file import read_state
from isplit.graph import classifier_of

log = logging.getLogger(__name__)


def build_backbone(
    name: str,
    num_classes: int,
    *,
    image_size: int,
    weights: str | Path | None = None,
    weights_key: str | None = None,
    head: str | None = None,
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
            a file of the user's own, by whatever name, that torch or safetensors wrote.
        weights_key: which of several nets in that file.
        head: path of the classifier, where it is not the layer that reaches the answer last.
        width: factor on the channels of VGG and ResNet.
        batch_norm: VGG with batch normalisation.
        stem: of a ResNet: ``auto``, ``imagenet`` (7x7, stride 2), ``small`` (3x3, stride 1) or
            ``cifar`` (``small`` without the pooling behind it).
        dropout: probability of the dropout layers; ``None`` keeps the architecture's.
        arch: torchvision's name of the architecture, for ``name="torchvision"``.

    Raises:
        ValueError: an unknown name, a setting the architecture does not have, images too small
            for it, or weights of another architecture.
        FileNotFoundError: the weights file is not there.
    """
    layout = Layout(name, num_classes, image_size, width, batch_norm, stem, arch)
    published = _published(layout.architecture, weights)
    if published is not None:
        model = downloaded(layout, published)
        renew_head(model, num_classes, classifier_of(model, head))
    else:
        model = fitted(layout)
        if weights is not None:  # they may have another layout than the images ask for
            state = read_state(Path(weights), model.state_dict(), weights_key)
            model = fitted(layout, state)
            if stem == "auto" and layout.stem_for(state) == "small":
                log.info("taken with a pooling behind its 3x3 stem; without: model.stem=cifar")
            load_state(model, state, Path(weights), head)
    if weights is not None and layout.architecture in AUXILIARY:
        vars(model)["pretrained_cfg"] = NORMALISED  # as timm calls it
    if dropout is not None:
        _set_dropout(model, layout.architecture, dropout)
    with size_errors(layout.architecture, image_size):
        answer_shape(model, image_size)
    return model


def stored_layout(keys: Mapping[str, Any], state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Arguments of ``build_backbone`` that build the layout of these weights again, untrained."""
    own = {key: value for key, value in keys.items() if key != "outputs"}
    return own | {"stem": Layout.of(own).stem_for(state), "weights": None, "weights_key": None}


def rebuilt(keys: Mapping[str, Any], state: State) -> nn.Module:
    """An empty model, on the meta device, for the weights ``state`` that it once had.

    Args:
        keys: from :func:`stored_layout`; nothing is fetched, whatever they say.

    Raises:
        ValueError: keys that no backbone has.
    """
    known = set(inspect.signature(build_backbone).parameters)
    if unknown := set(keys) - known:
        raise ValueError(f"{', '.join(sorted(unknown))} is no argument of a backbone")
    with torch.device("meta"):
        return fitted(Layout.of(keys), state)


def _published(architecture: str, weights: str | Path | None) -> Any:
    """The published weights of that name; ``None`` when it is a file or nothing."""
    known = models.get_model_weights(architecture).__members__
    if weights is None or str(weights) in known:
        return known.get(str(weights))
    if len(Path(weights).parts) == 1 and not Path(weights).suffix and not Path(weights).is_file():
        raise ValueError(
            f"model.weights={str(weights)!r} is neither a file nor one of {architecture}'s: "
            f"{', '.join(known)}"
        )
    return None


def _set_dropout(model: nn.Module, architecture: str, dropout: float) -> None:
    layers = [m for m in model.modules() if isinstance(m, nn.Dropout) and m.p > 0]
    if not layers:
        raise ValueError(f"model.dropout={dropout}: {architecture} has no dropout; leave it out")
    for layer in layers:
        layer.p = dropout
