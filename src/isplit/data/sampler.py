"""The order in which an epoch visits its images, a pure function of seed and epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any, cast

from torch.utils.data import Dataset, DistributedSampler

_SEED_STRIDE = 1_000_003  # torch orders epoch e of seed s by s + e; keeps the seeds apart


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
