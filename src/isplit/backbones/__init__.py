"""The classifiers to split: torchvision's, fitted to a data set's classes and image size."""

from isplit.backbones.build import BACKBONES, build_backbone, friendly_names

__all__ = ["BACKBONES", "build_backbone", "friendly_names"]
