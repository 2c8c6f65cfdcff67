"""Images of a split on their way to the network, in the order of an epoch.

Legend: N images, S pixels a side.
"""

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from isplit.data.album import DecodedImages
from isplit.data.augment import augment
from isplit.data.listing import Labelled

Batch = tuple[Tensor, Tensor]

_SEED_STRIDE = 1_000_003  # torch orders epoch e of seed s by s + e; keeps the seeds apart


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
    which the epoch would never arrive.

    Args:
        part: (which, of how many) when processes share an epoch: k-th batches of all parts
            together are the k-th batch of the whole. Where they cannot all have the same number
            of images, the first images come again at the end.
    """

    def __init__(
        self, images: Sized, *, shuffle: bool, seed: int, part: tuple[int, int] = (0, 1)
    ) -> None:
        super().__init__(
            cast("Dataset[Any]", images),
            rank=part[0],
            num_replicas=part[1],
            shuffle=shuffle,
            seed=seed * _SEED_STRIDE,
        )

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((self.epoch, index) for index in super().__iter__())
