"""Other people's models to try the splitting on: all classifiers of torchvision, some of timm."""

from __future__ import annotations

import importlib.util
import warnings
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

IMAGE_PX = 64
"""Large enough for most models; bits do not care for more."""
TORCHVISION_PX = {"inception_v3": 96, "maxvit_t": 224, "vit_h_14": 56}
CHANGE = 0.1
"""How far constant weights are moved."""

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


def torchvision_names() -> list[str]:
    """All classifiers torchvision has."""
    return list(models.list_models(module=models))


def timm_names() -> list[str]:
    """A list of diverse models of timm, one or two per family.

    Raises:
        ValueError: timm is not installed.
    """
    if importlib.util.find_spec("timm") is None:
        raise ValueError("--timm needs the package timm: pip install timm")
    return list(TIMM_MODELS)


def torchvision_model(name: str, image_size: int | None = None) -> tuple[nn.Module, Tensor]:
    """A classifier of torchvision with random weights, and one image it takes.

    Args:
        name: torchvision's.
        image_size: pixels of a side; ``None``: small, but enough for the model.

    Raises:
        ValueError: torchvision has no such classifier; the closest names come first.
    """
    names = torchvision_names()
    if name not in names:
        closest = get_close_matches(name, names, n=5, cutoff=0)
        rest = [other for other in names if other not in closest]
        raise ValueError(f"model {name!r} is none of torchvision's: {', '.join(closest + rest)}")
    pixels = image_size or TORCHVISION_PX.get(name, IMAGE_PX)
    settings: dict[str, Any] = {}
    if name.startswith("vit"):
        settings["image_size"] = pixels
    if name.startswith("maxvit"):
        settings["input_size"] = (pixels, pixels)
    if name in ("googlenet", "inception_v3"):
        settings["init_weights"] = False
    return models.get_model(name, weights=None, **settings), torch.randn(1, 3, pixels, pixels)


def timm_model(name: str) -> tuple[nn.Module, Tensor]:
    """A classifier of timm with random weights, and one image it takes."""
    import timm  # not everybody has it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: nn.Module = timm.create_model(name, pretrained=False)
    settings: Any = model.pretrained_cfg
    return model, torch.randn(1, *settings["input_size"])


@torch.no_grad()
def randomise_constants(model: nn.Module) -> None:
    """Moves every weight that was initialised to one value (zero heads, layer scales, norms).

    A head of zeros answers zero to anything, and a bitwise comparison would say nothing.
    """
    for parameter in model.parameters():
        if parameter.numel() and parameter.min() == parameter.max():
            parameter.add_(CHANGE * torch.randn_like(parameter))
