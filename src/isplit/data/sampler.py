"""The order in which an epoch visits its images, a pure function of seed and epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any, cast

from torch import distributed
from torch.utils.data import Dataset, DistributedSampler

_SEED_STRIDE = 1_000_003  # torch orders epoch e of seed s by s + e; keeps the seeds apart


class EpochSampler(DistributedSampler[Any]):
    """Pairs (epoch, index): the epoch travels to the worker that augments the image.

    Lightning calls ``set_epoch`` at the start of each epoch, also of a resumed one. Being a
    ``DistributedSampler`` (of one replica where nothing is distributed) keeps Lightning from
    putting its own in the place of this one, under which the epoch would never arrive.
    """

    def __init__(self, images: Sized, *, shuffle: bool, seed: int) -> None:
        together = distributed.is_available() and distributed.is_initialized()
        super().__init__(
            cast("Dataset[Any]", images),
            num_replicas=distributed.get_world_size() if together else 1,
            rank=distributed.get_rank() if together else 0,
            shuffle=shuffle,
            seed=seed * _SEED_STRIDE,
        )

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((self.epoch, index) for index in super().__iter__())
