"""Images of a split on their way to the network, in the order of an epoch, changed at random.

Nothing here keeps a state: the same image of the same epoch is changed in the same way in a resumed
run, in any order and in any worker process.

Legend: N images, S pixels a side.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, DistributedSampler
from torchvision.transforms import v2

from isplit.data.album import DecodedImages
from isplit.data.listing import Labelled

Batch = tuple[Tensor, Tensor]
AUGMENTATIONS = {
    "none": (),
    "crop": ("crop",),
    "crop_flip": ("crop", "flip"),
    "crop_flip_erase": ("crop", "flip", "erase"),
    "crop_light": ("crop", "light"),
    "resized_crop_flip": ("resized_crop", "flip"),
}


@dataclass(frozen=True)
class Preparation:
    """What happens to pixels on their way to the network.

    Attributes:
        mean: subtracted from each channel, of values 0..1.
        std: each channel is divided by.
        augment: name of the random changes of training images.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    augment: str = "none"

    def normalised(self, images: Tensor) -> Tensor:
        """Float32 (N, 3, S, S) from uint8: values 0..1, minus mean, over std, by channel."""
        mean, std = (torch.tensor(c).view(3, 1, 1) for c in (self.mean, self.std))
        return (images.float() / 255 - mean) / std

    def pixels(self, images: Tensor) -> Tensor:
        """The uint8 images that were normalised."""
        mean, std = (torch.tensor(c).view(3, 1, 1) for c in (self.mean, self.std))
        return ((images * std + mean) * 255).round().clamp(0, 255).byte()


@dataclass(frozen=True)
class Images(Dataset[Batch]):
    """Normalised images by (epoch, index), fetched a batch at a time.

    Attributes:
        augment: name of the random changes, drawn by ``seed``.
    """

    decoded: DecodedImages
    labelled: Sequence[Labelled]
    preparation: Preparation
    augment: str
    seed: int

    def __len__(self) -> int:
        return len(self.labelled)

    def __getitems__(self, visits: Sequence[tuple[int, int]]) -> Batch:
        """The whole batch at once; ``DataLoader`` looks for this method."""
        names, labels = zip(*(self.labelled[index] for _, index in visits), strict=True)
        images = self.decoded.pixels(names)
        if self.augment != "none":
            images = torch.stack(
                [
                    augment(image, self.augment, seed=self.seed, epoch=epoch, number=index)
                    for image, (epoch, index) in zip(images, visits, strict=True)
                ]
            )
        return self.preparation.normalised(images), torch.tensor(labels)


class EpochSampler(DistributedSampler[Any]):
    """Pairs (epoch, index): the epoch travels to the worker that augments the image.

    Lightning calls ``set_epoch`` at the start of each epoch, also of a resumed one. Being a
    ``DistributedSampler`` keeps Lightning from putting its own in the place of this one, under
    which the epoch would never arrive. Where processes share an epoch, the k-th batches of all are
    together the k-th of the whole; where they cannot all have as many images, the first come again.
    """

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((self.epoch, index) for index in super().__iter__())


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
