"""The classifiers to split: torchvision's, fitted to a data set's classes and image size."""

from isplit.backbones.build import BACKBONES, build_backbone, comes_trained, friendly_names
from isplit.backbones.layout import head_path

__all__ = ["BACKBONES", "build_backbone", "comes_trained", "friendly_names", "head_path"]
