"""The classifiers to split: torchvision's, fitted to classes and image size, or the user's."""

from isplit.backbones.build import (
    BACKBONES,
    build_backbone,
    comes_trained,
    friendly_names,
    rebuilt,
    stored_layout,
)
from isplit.backbones.own import adopt

__all__ = [
    "BACKBONES",
    "adopt",
    "build_backbone",
    "comes_trained",
    "friendly_names",
    "rebuilt",
    "stored_layout",
]
