"""The classifiers to split: torchvision's, fitted to classes and image size, or the user's."""

from isplit.backbones.build import build_backbone as build_backbone
from isplit.backbones.build import rebuilt as rebuilt
from isplit.backbones.build import stored_layout as stored_layout
from isplit.backbones.checkpoint import keep_outputs as keep_outputs
from isplit.backbones.custom import adopt as adopt
