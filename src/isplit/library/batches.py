"""Labelled images of anybody's loader, checked batch by batch; messages in the library's words."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from torch import Tensor

Loader = Iterable[Any]
"""Anything that gives labelled batches, as a DataLoader does."""
AT_ONCE = 64  # images


class Batches:
    """The batches of a loader, as many at each walk; it is walked once to check them all.

    Where it ``trains`` a last batch of one image is left out, which batch normalisation refuses.

    Attributes:
        largest: number of images in a batch, at most.
        images: of all batches.

    Raises:
        ValueError: the loader can be read only once, gives nothing, or no labelled images.
    """

    def __init__(
        self, loader: Loader, name: str, classes: int, shape: tuple[int, ...], trains: bool = False
    ) -> None:
        if iter(loader) is loader:
            raise ValueError(
                f"{name} can be read only once: every epoch reads a DataLoader or list"
            )
        sizes = [len(labels) for _, labels in labelled(loader, name, classes, shape)]
        self._loader, self.largest, self.images = loader, max(sizes), sum(sizes)
        self._length = len(sizes) - (trains and len(sizes) > 1 and sizes[-1] == 1)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Any]:
        return islice(self._loader, len(self))


def first_images(loader: Loader, images: int | None) -> list[tuple[Tensor, Tensor]]:
    """The first ``images`` images of any iterable of batches, or all, in batches of ``AT_ONCE``.

    They come in an order of their own, always the same: predictors look at some of them first.

    Raises:
        ValueError: there are none, or others would follow and these come class by class.
    """
    if images is not None and (not isinstance(images, int) or images < 1):
        raise ValueError(f"images={images!r} is neither None (all) nor a number from 1 on")
    kept, count = [], 0
    for batch in labelled(loader, "loader"):
        kept.append(batch)
        count += len(batch[1])
        if images is not None and count > images:
            break
    first, labels = (torch.cat(parts)[:images] for parts in zip(*kept, strict=True))
    if count > len(labels) and _class_by_class(labels):
        raise ValueError(
            f"the first images={images} of loader come class by class, {labels[0]} to "
            f"{labels[-1]}: give a loader that shuffles, or images=None to look at all"
        )
    mixed = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    return [(first[some], labels[some]) for some in torch.split(mixed, AT_ONCE)]


def _class_by_class(labels: Tensor) -> bool:
    """Whether the class changes at most half as often as where they are shuffled, or once."""
    squares = sum(count**2 for count in Counter(labels.tolist()).values())
    shuffled = len(labels) - squares / len(labels)  # changes to be expected
    return int(labels.diff().count_nonzero()) <= max(1, shuffled / 2)


def labelled(
    loader: Loader, name: str, classes: int | None = None, shape: tuple[int, ...] | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Float32 images (N, *shape) and the class index (N) of each, batch by batch.

    Args:
        shape: of an image; ``None``: that of the first.

    Raises:
        ValueError: a batch is something else, or there is none.
    """
    batch, top = None, classes - 1 if classes else "classes - 1"
    for batch in loader:
        match batch:
            case [Tensor(dtype=torch.float32) as x, Tensor(dtype=torch.int64, ndim=1) as y]:
                known = range(classes or 2**31)
                whole = x.shape[:1] == y.shape != (0,) and all(k in known for k in y.tolist())
            case _:
                whole = False
        if not whole:
            parts = batch if isinstance(batch, tuple | list) else [batch]
            found = [(getattr(p, "dtype", type(p)), *getattr(p, "shape", ())) for p in parts]
            raise ValueError(
                f"{name} gives {found}: (images, labels) are needed, torch.float32 and one "
                f"torch.int64 class index each, 0 to {top}. Of a dict or longer tuple let "
                "collate_fn return the two; of one-hot labels take labels.argmax(1)"
            )
        shape = x.shape[1:] if shape is None else shape
        if x.shape[1:] != shape:
            raise ValueError(
                f"{name} gives images of shape {(*x.shape[1:],)} where others have {(*shape,)}: "
                "one shape is ranked and trained with"
            )
        yield x, y
    if batch is None:
        raise ValueError(f"{name} gives no batches: it is empty, or a generator read before")


@contextmanager
def in_parameters() -> Iterator[None]:
    """Inside, a ValueError names the parameters that a caller of the library typed.

    >>> with in_parameters():
    ...     raise ValueError("split.kind='cu' is not one of cui, probe")
    Traceback (most recent call last):
    ...
    ValueError: predictor='cu' is not one of cui, probe
    """
    try:
        yield
    except ValueError as error:
        said = re.sub(r"\b(split|bottleneck|stage)\.(?=\w+[.=:])", "", str(error))
        said = said.replace("compression_rate=", "rate=").replace("kind=", "predictor=")
        raise ValueError(said) from error
