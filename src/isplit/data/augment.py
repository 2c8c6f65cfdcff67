"""Random changes of training images, each a pure function of seed, epoch and image number.

Nothing here keeps a state: the same image of the same epoch is changed in the same way in a
resumed run, in any order and in any worker process.

Legend: S pixels a side.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.transforms import v2

AUGMENTATIONS = {
    "none": (),
    "crop": ("crop",),
    "crop_flip": ("crop", "flip"),
    "crop_flip_erase": ("crop", "flip", "erase"),
    "crop_light": ("crop", "light"),
    "resized_crop_flip": ("resized_crop", "flip"),
}


def augment(image: Tensor, name: str, *, seed: int, epoch: int, number: int) -> Tensor:
    """The image (3, S, S) after the steps of an augmentation, drawn for this epoch and number."""
    draw = np.random.SeedSequence((seed, epoch, number)).generate_state(1, np.uint64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(draw[0]))
        changed: Tensor = steps(name, image.shape[-1])(image)
    return changed


@cache
def steps(name: str, size: int) -> nn.Sequential:
    """What an augmentation does to images of S pixels a side, one step after the other.

    ``crop`` moves by up to an eighth of a side, edges mirrored (He et al. 2016, section 4.2);
    ``erase`` turns a square of half a side mid-grey (DeVries and Taylor 2017); ``light`` changes
    brightness and contrast by up to 20 %; ``resized_crop`` takes a window of a quarter to all of
    the area back to full size.
    """
    known = {
        "crop": v2.RandomCrop(size, padding=size // 8, padding_mode="reflect"),
        "flip": v2.RandomHorizontalFlip(),
        "erase": v2.RandomErasing(p=1.0, scale=(0.25, 0.25), ratio=(1.0, 1.0), value=128),
        "light": v2.ColorJitter(brightness=0.2, contrast=0.2),
        "resized_crop": v2.RandomResizedCrop(size, scale=(0.25, 1.0)),
    }
    return nn.Sequential(*(known[step] for step in AUGMENTATIONS[name]))
