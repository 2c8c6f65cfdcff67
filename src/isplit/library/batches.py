"""Labelled batches as a user's loader gives them, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor

Loader = Iterable[Any]
"""Anything that gives labelled batches, as a DataLoader does."""
EMPTY = "gives no batches: it is empty, or a generator that was read before"
AT_ONCE = 64  # images


class Batches:
    """The batches of a loader, as many at each walk; it is walked once to check them all.

    Where it ``trains`` a last batch of one image is left out, which batch normalisation refuses.

    Raises:
        ValueError: the loader can be read only once, gives nothing, or no labelled images.
    """

    def __init__(self, loader: Loader, name: str, classes: int, trains: bool = False) -> None:
        if iter(loader) is loader:
            raise ValueError(
                f"{name} can be read only once: every epoch reads a DataLoader or list"
            )
        sizes = [len(checked(batch, name, classes)[1]) for batch in loader]
        if not sizes:
            raise ValueError(f"{name} {EMPTY}")
        self._loader = loader
        self._length = len(sizes) - (trains and len(sizes) > 1 and sizes[-1] == 1)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return ((images, labels.long()) for images, labels in islice(self._loader, len(self)))


def first_images(loader: Loader, images: int | None) -> list[tuple[Tensor, Tensor]]:
    """The first ``images`` images of any iterable of batches, or all, in batches of ``AT_ONCE``.

    Raises:
        ValueError: there are none, or others would follow and these come class by class.
    """
    kept, count = [], 0
    for batch in loader:
        kept.append(checked(batch, "loader"))
        count += len(kept[-1][1])
        if images is not None and count > images:
            break
    if not count:
        raise ValueError(f"loader {EMPTY}")
    first, labels = (torch.cat(parts)[:images] for parts in zip(*kept, strict=True))
    if count > len(labels) and (labels.diff() >= 0).all():
        raise ValueError(
            f"the first images={images} of loader come class by class, {labels[0]} to "
            f"{labels[-1]}: give a loader that shuffles, or images=None to look at all"
        )
    return list(zip(first.split(AT_ONCE), labels.split(AT_ONCE), strict=True))


def checked(batch: Any, name: str, classes: int | None = None) -> tuple[Tensor, Tensor]:
    """Float32 images (N, ...) and the class index (N) of each.

    Raises:
        ValueError: the batch is something else.
    """
    match batch:
        case [Tensor(dtype=torch.float32) as images, Tensor(ndim=1) as labels]:
            whole = len(images) == len(labels) and not labels.is_floating_point()
            if whole and all(0 <= label < (classes or label + 1) for label in labels.tolist()):
                return images, labels.long()
    parts = batch if isinstance(batch, tuple | list) else [batch]
    found = (f"{p.dtype} {tuple(p.shape)}" if hasattr(p, "dtype") else type(p) for p in parts)
    raise ValueError(
        f"{name} gives [{', '.join(map(str, found))}]: batches (images, labels) are needed, as a "
        "DataLoader gives them: torch.float32 images and a class index for each, from 0 to "
        f"{classes - 1 if classes else 'classes - 1'}. Of a dict or a longer tuple let collate_fn "
        "return the two; of one-hot labels take labels.argmax(1)"
    )
