"""Images of a split on their way to the network, in the order of an epoch.

Legend: N images, S pixels a side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from isplit.data.augment import augment
from isplit.data.decoded import DecodedImages
from isplit.data.listing import Labelled, places_in_class

Batch = tuple[Tensor, Tensor]

_SEED_STRIDE = 1_000_003  # torch orders epoch e of seed s by s + e; keeps the seeds apart


@dataclass(frozen=True)
class Split:
    """The images of one split: their numbers among the decoded images and their labels."""

    numbers: tuple[int, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def of_classes(self, labels: Sequence[int]) -> Split:
        """The images of these classes only."""
        return self._chosen([i for i, label in enumerate(self.labels) if label in labels])

    def balanced(self, count: int, seed: int) -> Split:
        """``count`` images (all, if there are fewer), as equally many of each class as possible.

        Any beginning of it is balanced too, and a smaller choice is the beginning of a larger.
        """
        places = places_in_class([Labelled("", label) for label in self.labels], seed)
        order = sorted(range(len(self)), key=lambda i: (places[i], self.labels[i]))
        return self._chosen(order[:count])

    def _chosen(self, positions: Sequence[int]) -> Split:
        return Split(
            tuple(self.numbers[i] for i in positions), tuple(self.labels[i] for i in positions)
        )


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


@dataclass(frozen=True)
class Images(Dataset[Batch]):
    """Normalised images by (epoch, index), fetched a batch at a time.

    Attributes:
        augment: name of the random changes, drawn by ``seed``.
    """

    decoded: DecodedImages
    split: Split
    preparation: Preparation
    augment: str
    seed: int

    def __len__(self) -> int:
        return len(self.split)

    def __getitems__(self, visits: Sequence[tuple[int, int]]) -> Batch:
        """The whole batch at once; ``DataLoader`` looks for this method."""
        images = self.decoded.pixels([self.split.numbers[index] for _, index in visits])
        if self.augment != "none":
            images = torch.stack(
                [
                    augment(image, self.augment, seed=self.seed, epoch=epoch, number=index)
                    for image, (epoch, index) in zip(images, visits, strict=True)
                ]
            )
        labels = torch.tensor([self.split.labels[index] for _, index in visits])
        return self.preparation.normalised(images), labels


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
