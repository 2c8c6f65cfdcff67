"""The data set as the rest of the project sees it: three splits, their loaders, a fingerprint.

Legend: N images, S pixels a side.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from isplit.data.album import DecodedImages
from isplit.data.choice import class_labels
from isplit.data.class_map import Outputs
from isplit.data.decode import decode
from isplit.data.images import Batch, EpochSampler, Images, Preparation
from isplit.data.listing import Labelled, balanced
from isplit.presets import check_choice

SEED_STRIDE = 1_000_003  # torch orders epoch e of seed s by s + e; keeps the seeds apart


@dataclass(frozen=True, eq=False)
class ImageData:
    """An image classification data set in three splits.

    Everything random is a pure function of seed, epoch and image, so a resumed run sees the
    batches it would have seen, with any number of workers.

    Attributes:
        name: of the data set.
        class_names: one per label.
        decoded: all its images; ``splits``: which of them each split has.
        preparation: how pixels become the network's input.
        skipped: files left out because they are no images, with the reason.
        num_workers: processes of a loader.
        outputs: those of a net for more classes that stand for these.
    """

    name: str
    class_names: tuple[str, ...]
    decoded: DecodedImages
    splits: Mapping[str, Sequence[Labelled]]
    preparation: Preparation
    skipped: tuple[str, ...] = ()
    num_workers: int = 0
    outputs: Outputs | None = None

    @property
    def num_classes(self) -> int:
        """How many labels there are."""
        return len(self.class_names)

    @property
    def image_size(self) -> int:
        """Pixels a side."""
        return self.decoded.how.size

    @property
    def augmented(self) -> bool:
        """Whether training images are changed at random."""
        return self.preparation.augment != "none"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that can change images, labels or splits; no paths, no times.

        That is file contents in their order, labels, and how pixels become input.
        """
        digest = hashlib.sha256()
        for split in self.splits:
            digest.update(json.dumps([split, self.labels(split)]).encode())
            digest.update(b"".join(self.decoded.digests[name] for name, _ in self._split(split)))
        p, how, changed = self.preparation, self.decoded.how, self.decoded.changed
        settings: list[Any] = [self.class_names, how.size, how.fit, p.mean, p.std, p.augment]
        settings += [dict(changed)] if changed else []
        digest.update(json.dumps(settings).encode())
        return digest.hexdigest()

    def size(self, split: str) -> int:
        """Number of images in ``train``, ``validation`` or ``test``."""
        return len(self._split(split))

    def labels(self, split: str) -> tuple[int, ...]:
        """The label of every image of a split, in its order."""
        return tuple(label for _, label in self._split(split))

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
            batch_size: of the last batch it may be less; a last training batch of one image (in
                each process), which batch normalisation refuses, is left out of a shuffled epoch.
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
            wanted = class_labels("split.classes", classes, self.class_names)
            chosen = [image for image in chosen if image.label in wanted]
        if images is not None:
            chosen = balanced(chosen, images, seed)
        changes = self.preparation.augment if augment else "none"
        dataset = Images(self.decoded, chosen, self.preparation, changes, seed)
        own_batch, own_images = batch_size // part[1], math.ceil(len(chosen) / part[1])
        return DataLoader(
            dataset,
            own_batch,
            sampler=EpochSampler(
                dataset, part[1], part[0], shuffle=shuffle, seed=seed * SEED_STRIDE
            ),
            num_workers=self.num_workers,
            collate_fn=as_it_is,
            pin_memory=torch.cuda.is_available(),
            drop_last=shuffle and own_images > 1 and own_images % own_batch == 1,
            persistent_workers=self.num_workers > 0,
            generator=torch.Generator().manual_seed(seed),  # else it draws from the global one
        )

    def read(self, files: Sequence[Path]) -> torch.Tensor:
        """Other images as the network takes them (N, 3, S, S), decoded like those of the set.

        Raises:
            ValueError: a file is no image.
        """
        pixels = []
        for file in files:
            try:
                pixels.append(decode(file.read_bytes(), *self.decoded.how))
            except Exception as error:  # Pillow raises nearly anything
                raise ValueError(f"{file} is no image: {error}") from error
        return self.preparation.normalised(torch.stack(pixels))

    def _split(self, name: str) -> Sequence[Labelled]:
        check_choice(name, "split", self.splits)
        return self.splits[name]


def as_it_is(batch: Any) -> Any:
    """The batch: it came whole from ``__getitems__``."""
    return batch
