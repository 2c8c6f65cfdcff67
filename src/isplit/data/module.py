"""The data set as the rest of the project sees it: three splits, their loaders, a fingerprint.

Legend: N images, S pixels a side.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from isplit.data.album import Album
from isplit.data.augment import augment
from isplit.data.listing import Labelled, places_in_class
from isplit.data.sampler import EpochSampler

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


class ImageData(lightning.LightningDataModule):
    """An image classification data set in three splits, ready for Lightning.

    Everything random is a pure function of seed, epoch and image, so a resumed run sees the
    batches it would have seen, with any number of workers.

    Attributes:
        name: of the data set.
        class_names: one per label.
        image_size: pixels a side.
        fingerprint: hash of all that can change images, labels or splits; no paths, no times.
        skipped: files left out because they are no images, with the reason.
        augmented: whether training images are changed at random.
        preparation: how pixels become the network's input.
        batch_size: of the loaders that Lightning asks for.
    """

    def __init__(
        self,
        name: str,
        class_names: Sequence[str],
        album: Album,
        splits: Mapping[str, Split],
        preparation: Preparation,
        *,
        image_size: int,
        skipped: Sequence[str] = (),
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.name = name
        self.class_names = tuple(class_names)
        self.num_classes = len(self.class_names)
        self.image_size = image_size
        self.skipped = tuple(skipped)
        self.augmented = preparation.augment != "none"
        self.batch_size = batch_size
        self.preparation = preparation
        self._album, self._splits = album, dict(splits)
        self._num_workers, self._seed = num_workers, seed
        self.fingerprint = self._fingerprint()

    def size(self, split: str) -> int:
        """Number of images in ``train``, ``validation`` or ``test``."""
        return len(self._split(split))

    def labels(self, split: str) -> tuple[int, ...]:
        """The label of every image of a split, in its order."""
        return self._split(split).labels

    def loader(
        self,
        split: str,
        batch_size: int,
        *,
        shuffle: bool = False,
        augment: bool = False,
        images: int | None = None,
        classes: Sequence[str] | None = None,
        seed: int = 0,
        part: tuple[int, int] = (0, 1),
    ) -> DataLoader[Batch]:
        """Batches x float32 (N, 3, S, S), normalised, and y int64 (N,).

        Args:
            split: ``train``, ``validation`` or ``test``.
            batch_size: of the last batch it may be less; a last training batch of one image,
                which batch normalisation refuses, is left out of a shuffled epoch.
            shuffle: another order in each epoch.
            augment: change the images at random as ``data.augment`` says.
            images: only so many, class-balanced, the same ones for the same seed.
            classes: only images of these classes, by name; labels stay what they are.
            seed: of order, augmentation and choice of images.
            part: (which, of how many) of each batch when processes share it evenly.

        Raises:
            ValueError: no such split or class.
        """
        chosen = self._split(split)
        if classes is not None:
            chosen = chosen.of_classes({self._label(name) for name in classes})
        if images is not None:
            chosen = chosen.balanced(images, seed)
        steps = self.preparation.augment if augment else "none"
        dataset = _Images(self._album, chosen, self.preparation, steps, seed)
        return DataLoader(
            dataset,
            batch_size // part[1],
            sampler=EpochSampler(dataset, shuffle=shuffle, seed=seed, part=part),
            num_workers=self._num_workers,
            collate_fn=_as_it_is,
            pin_memory=torch.cuda.is_available(),
            drop_last=shuffle and len(chosen) > 1 and len(chosen) % batch_size == 1,
            persistent_workers=self._num_workers > 0,
            generator=torch.Generator().manual_seed(seed),  # else it draws from the global one
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled and augmented batches of ``train``."""
        return self.loader("train", self.batch_size, shuffle=True, augment=True, seed=self._seed)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches of ``validation``."""
        return self.loader("validation", self.batch_size)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches of ``test``."""
        return self.loader("test", self.batch_size)

    def _split(self, name: str) -> Split:
        if name not in self._splits:
            raise ValueError(f"split={name!r} is none of {', '.join(self._splits)}")
        return self._splits[name]

    def _label(self, class_name: str) -> int:
        if class_name not in self.class_names:
            raise ValueError(
                f"split.classes: {class_name!r} is none of the classes of data={self.name}:"
                f" {', '.join(self.class_names)}"
            )
        return self.class_names.index(class_name)

    def _fingerprint(self) -> str:
        """Over file contents in their order, labels, and how pixels become input."""
        digest = hashlib.sha256()
        for name, split in self._splits.items():
            digest.update(json.dumps([name, split.labels]).encode())
            digest.update(b"".join(self._album.digests[number] for number in split.numbers))
        p, album = self.preparation, self._album
        settings = [self.class_names, album.size, album.fit, p.mean, p.std, p.augment]
        digest.update(json.dumps(settings).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class _Images(Dataset[Batch]):
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


def _as_it_is(batch: Any) -> Any:
    return batch
