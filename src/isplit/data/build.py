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
from isplit.data.choice import choose_classes, group_classes
from isplit.data.decode import How
from isplit.data.files import shown
from isplit.data.images import Preparation, Split
from isplit.data.keys import black_and_white, channels, refuse_wrong_numbers, whole_seed
from isplit.data.listing import (
    SPLITS,
    Labelled,
    Listing,
    carve_validation,
    describe_copies,
    limit_images,
    refuse_empty_classes,
)
from isplit.data.module import ImageData

log = logging.getLogger(__name__)

DATA_SETS = ("letters", "notmnist", "tiny_imagenet", "chest_xray", "folder")
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
    seed = whole_seed(seed)
    refuse_wrong_numbers(image_size, max_corrupt, memory_gb)
    augmentation.refuse_unknown(augment)
    how = How(image_size, fit, background, black_and_white(range))
    refuse_unknown(how)
    preparation = Preparation(channels("mean", mean), channels("std", std), augment)
    root = None if root is None else Path(root).expanduser()  # no shell expands data.root=~/x
    cache_dir = Path(cache_dir).expanduser()
    own |= {"image_size": image_size, "cache_dir": cache_dir, "seed": seed}
    listing = _list(name, root, download, own)
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


def _list(name: str, root: Path | None, download: bool, own: dict[str, Any]) -> Listing:
    """The files and labels of the set; ``own`` holds the size and place of the letters too."""
    drawn = {key: own.pop(key) for key in ("image_size", "cache_dir", "seed")}
    match name:
        case "letters":
            return letters.list_images(**drawn, **own)
        case "folder":
            return folder.list_images(root, seed=drawn["seed"], **own)
        case "notmnist":
            return notmnist.list_images(root, download=download, **own)
        case "tiny_imagenet":
            return tiny_imagenet.list_images(root, download=download, **own)
        case "chest_xray":
            return chest_xray.list_images(root, download=download, **own)
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
