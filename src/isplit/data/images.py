"""Some images of an album on their way to the network.

Legend: N images, S pixels a side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.utils.data import Dataset

from isplit.data.album import Album
from isplit.data.augment import augment
from isplit.data.listing import Labelled, places_in_class

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Split:
    """The images of one split: their numbers in the album and their labels."""

    numbers: tuple[int, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def of_classes(self, labels: set[int]) -> Split:
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

    def pixels(self, images: Tensor) -> Tensor:
        """The uint8 images that were normalised."""
        mean, std = (torch.tensor(c).view(3, 1, 1) for c in (self.mean, self.std))
        return ((images * std + mean) * 255).round().clamp(0, 255).byte()


@dataclass(frozen=True)
class Images(Dataset[Batch]):
    """Normalised images by (epoch, index), fetched a batch at a time."""

    album: Album
    split: Split
    preparation: Preparation
    steps: str
    seed: int
    _labels: Tensor = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_labels", torch.tensor(self.split.labels, dtype=torch.int64))

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, visit: tuple[int, int]) -> Batch:
        images, labels = self.__getitems__([visit])
        return images[0], labels[0]

    def __getitems__(self, visits: Sequence[tuple[int, int]]) -> Batch:
        """The whole batch at once; ``DataLoader`` looks for this method."""
        numbers = [self.split.numbers[index] for _, index in visits]
        images = self.album.pixels(numbers)
        if self.steps != "none":
            images = self._augmented(images, visits)
        return self.preparation.normalised(images), self._labels[[index for _, index in visits]]

    def _augmented(self, images: Tensor, visits: Sequence[tuple[int, int]]) -> Tensor:
        return torch.stack(
            [
                augment(image, self.steps, seed=self.seed, epoch=epoch, number=index)
                for image, (epoch, index) in zip(images, visits, strict=True)
            ]
        )
