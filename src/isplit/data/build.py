"""One function from the keys of ``conf/data`` to an ``ImageData``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from isplit.data import augment as augmentation
from isplit.data import chest_xray, folder, letters, notmnist, tiny_imagenet
from isplit.data.album import open_album, refuse_unknown
from isplit.data.decode import How, Range
from isplit.data.files import shown
from isplit.data.images import Preparation, Split
from isplit.data.listing import (
    SPLITS,
    Labelled,
    Listing,
    carve_validation,
    choose_classes,
    describe_copies,
    group_classes,
    limit_images,
    refuse_empty_classes,
)
from isplit.data.module import ImageData

log = logging.getLogger(__name__)

DATA_SETS = ("letters", "notmnist", "tiny_imagenet", "chest_xray", "folder")
_SIDES = range(8, 4097)  # pixels: below, no network of this project has a feature map left
_BYTES_PER_GB = 1e9


def build_data(
    name: str,
    *,
    root: Path | str | None,
    image_size: int,
    classes: Sequence[str | int] | None,
    images_per_class: int | None,
    validation_fraction: float,
    augment: str,
    mean: float | Sequence[float],
    std: float | Sequence[float],
    max_corrupt: int,
    download: bool,
    num_workers: int,
    cache_dir: Path | str,
    seed: int | None,
    groups: Mapping[str, Sequence[str | int]] | None = None,
    fit: str = "stretch",
    background: str = "white",
    range: Sequence[float] | None = None,
    memory_gb: float = 2.0,
    **own: Any,
) -> ImageData:
    """The data set of this name; the arguments are the keys of ``conf/data/<name>.yaml``.

    ``own`` are the keys that only this set has (letters: difficulty, train_images, test_images).
    No seed is 0.

    Raises:
        ValueError: a value that is not allowed, an unknown class, a class without images, or
            more than ``max_corrupt`` files that are no images.
        FileNotFoundError: the set is not at ``root``; the message says what to do.
    """
    seed = _seed(seed)
    _refuse_wrong_numbers(image_size, max_corrupt, memory_gb)
    augmentation.refuse_unknown(augment)
    how = How(image_size, fit, background, _values(range))
    refuse_unknown(how)
    preparation = Preparation(_channels("mean", mean), _channels("std", std), augment)
    root = None if root is None else Path(root).expanduser()  # no shell expands data.root=~/x
    cache_dir = Path(cache_dir).expanduser()
    listing = _list(name, root, image_size, download, cache_dir, seed, own)
    listing = choose_classes(listing, classes)
    listing = group_classes(listing, groups)
    listing = limit_images(listing, images_per_class, seed)
    listing = carve_validation(listing, validation_fraction, seed)
    refuse_empty_classes(listing)
    names = sorted({image.name for split in SPLITS for image in listing.splits[split]})
    album = open_album(
        listing.files,
        names,
        how,
        memory_bytes=memory_gb * _BYTES_PER_GB,
        cache_dir=cache_dir,
    )
    broken = {names[number]: reason for number, reason in album.broken.items()}
    skipped = _skip_corrupt(broken, max_corrupt)
    if skipped:
        listing = _without(listing, set(broken))
        refuse_empty_classes(listing)
    for line in describe_copies(listing, dict(zip(names, album.digests, strict=True))):
        log.warning("data.root: %s (equal files)", line)
    return ImageData(
        name,
        listing.class_names,
        album,
        _splits(listing, names),
        preparation,
        image_size=image_size,
        skipped=skipped,
        num_workers=num_workers,
        seed=seed,
    )


def _list(
    name: str,
    root: Path | None,
    image_size: int,
    download: bool,
    cache_dir: Path,
    seed: int,
    own: dict[str, Any],
) -> Listing:
    match name:
        case "letters":
            return letters.list_images(image_size=image_size, cache_dir=cache_dir, seed=seed, **own)
        case "notmnist":
            return notmnist.list_images(root, download=download)
        case "tiny_imagenet":
            return tiny_imagenet.list_images(root, download=download)
        case "chest_xray":
            return chest_xray.list_images(root, download=download)
        case "folder":
            return folder.list_images(root, seed=seed, **own)
        case _:
            raise ValueError(f"data={name!r} is none of {', '.join(DATA_SETS)}")


def _skip_corrupt(broken: dict[str, str], max_corrupt: int) -> tuple[str, ...]:
    """Name and reason of each file that is left out, or an error that lists them all."""
    described = tuple(f"{shown(name)}: {reason}" for name, reason in sorted(broken.items()))
    if len(broken) > max_corrupt:
        raise ValueError(
            f"{len(broken)} files are no images that can be read (data.max_corrupt={max_corrupt};"
            f" data.max_corrupt={len(broken)} leaves them out):\n  " + "\n  ".join(described)
        )
    for line in described:
        log.warning("left out: %s", line)
    return described


def _without(listing: Listing, names: set[str]) -> Listing:
    splits = {
        split: tuple(image for image in images if image.name not in names)
        for split, images in listing.splits.items()
    }
    return replace(listing, splits=splits)


def _splits(listing: Listing, names: Sequence[str]) -> dict[str, Split]:
    number = {name: position for position, name in enumerate(names)}

    def numbered(images: Sequence[Labelled]) -> Split:
        return Split(tuple(number[name] for name, _ in images), tuple(y for _, y in images))

    return {split: numbered(listing.splits[split]) for split in SPLITS}


def _channels(key: str, value: float | Sequence[float]) -> tuple[float, float, float]:
    """One number for all three channels, or three; a standard deviation must be positive."""
    numbers = (float(value),) * 3 if isinstance(value, int | float) else tuple(map(float, value))
    if len(numbers) != 3 or (key == "std" and min(numbers) <= 0):
        raise ValueError(f"data.{key}={value} is neither one nor three (positive std) numbers")
    return (numbers[0], numbers[1], numbers[2])


def _seed(seed: int | None) -> int:
    if seed is None:
        return 0
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"data.seed={seed!r} is no whole number from 0 up")
    return seed


def _values(range: Sequence[float] | None) -> Range | None:
    """Black and white of images of more than 8 bits, if they are given."""
    if range is None:
        return None
    try:
        low, high = map(float, range)
    except (TypeError, ValueError):
        low, high = 0.0, 0.0
    if not low < high:
        raise ValueError(f"data.range={range!r} is neither null nor [low,high], low below high")
    return low, high


def _refuse_wrong_numbers(image_size: int, max_corrupt: int, memory_gb: float) -> None:
    if image_size not in _SIDES:
        raise ValueError(f"data.image_size={image_size} is not in {_SIDES[0]}..{_SIDES[-1]}")
    if max_corrupt < 0:
        raise ValueError(f"data.max_corrupt={max_corrupt} is negative")
    if memory_gb < 0:
        raise ValueError(f"data.memory_gb={memory_gb} is negative")
