"""One function from the keys of ``conf/data`` to an ``ImageData``."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import ImageColor

from isplit.data import folder, letters, notmnist, tiny_imagenet
from isplit.data.album import DecodedImages, decoded_images
from isplit.data.choice import choose_classes, group_classes
from isplit.data.class_map import outputs_for
from isplit.data.decode import How
from isplit.data.images import Preparation
from isplit.data.listing import (
    SPLITS,
    Listing,
    carve_validation,
    describe_copies,
    limit_images,
    refuse_empty_classes,
)
from isplit.data.module import ImageData
from isplit.files import shown
from isplit.presets import check_choice

log = logging.getLogger(__name__)

DATA_SETS: dict[str, Callable[..., Listing]] = {
    "letters": letters.list_images,
    "notmnist": notmnist.list_images,
    "tiny_imagenet": tiny_imagenet.list_images,
    "chest_xray": folder.list_chest_images,
    "folder": folder.list_images,
}


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
    class_map: str | None = None,
    fit: str = "stretch",
    background: str = "white",
    range: Sequence[float] | None = None,
    memory_gb: float = 2.0,
    **others: Any,
) -> ImageData:
    """The data set of this name; the arguments are the keys of ``conf/data/<name>.yaml``.

    ``others`` are the keys that only this set has (letters: difficulty, train_images,
    test_images). No seed is 0.

    Raises:
        ValueError: a value that is not allowed, an unknown class, a class without images, or
            more than ``max_corrupt`` files that are no images.
        FileNotFoundError: the set is not at ``root``; the message says what to do.
    """
    _refuse_misfits(**locals())
    seed = seed or 0
    own = {"image_size": image_size, "cache_dir": cache_dir, "seed": seed, "download": download}
    listing = DATA_SETS[name](root, **own, **others)
    listing = group_classes(choose_classes(listing, classes), groups)
    listing = limit_images(listing, images_per_class, seed)
    listing = carve_validation(listing, validation_fraction, seed)
    refuse_empty_classes(listing)
    outputs = outputs_for(class_map, listing.class_names, listing.aliases) if class_map else None
    how = How(image_size, fit, background, None if range is None else (range[0], range[1]))
    decoded = decoded_images(listing.files, listing.names, how, memory_gb * 1e9, cache_dir)
    listing, skipped = _without_broken(listing, decoded, max_corrupt)
    preparation = Preparation(_three(mean), _three(std), augment)
    names, splits = listing.class_names, listing.splits
    return ImageData(name, names, decoded, splits, preparation, skipped, num_workers, outputs)


def _refuse_misfits(name: str, others: Mapping[str, Any], **keys: Any) -> None:
    """Raise ValueError for values that the comments in ``conf/data`` do not allow."""
    check_choice(name, "data", DATA_SETS)
    given = {**keys, **others, "seed": 0 if keys["seed"] is None else keys["seed"]}
    for key, value in given.items():  # as YAML has them
        given[key] = str(value) if isinstance(value, Path) else value
        given[key] = [*value] if isinstance(value, tuple) else given[key]
    from isplit.keys import refuse_misfits  # brings Hydra, which the library does without

    refuse_misfits("data", name, given)
    if keys["class_map"] and keys["groups"]:
        raise ValueError("data.class_map and data.groups: no output stands for a group of classes")
    values = keys["range"]
    if values is not None and not values[0] < values[1]:
        raise ValueError(f"data.range={values}: low is not below high")
    try:
        ImageColor.getrgb(keys["background"])
    except ValueError:
        raise ValueError(
            f"data.background={keys['background']!r} is no colour: white, black ... or '#rrggbb'"
        ) from None


def _three(value: float | Sequence[float]) -> tuple[float, float, float]:
    """One number for all three channels, or three."""
    red, green, blue = (value,) * 3 if isinstance(value, int | float) else value
    return float(red), float(green), float(blue)


def _without_broken(
    listing: Listing, decoded: DecodedImages, max_corrupt: int
) -> tuple[Listing, tuple[str, ...]]:
    """The listing without files that are no images; the name of each of them and the reason.

    What equal files there are among the others is said.

    Raises:
        ValueError: more than ``max_corrupt`` of them, all listed; a class without images.
    """
    broken = decoded.broken
    described = tuple(f"{shown(name)}: {reason}" for name, reason in sorted(broken.items()))
    if len(broken) > max_corrupt:
        raise ValueError(
            f"{len(broken)} files are no images that can be read (data.max_corrupt={max_corrupt};"
            f" data.max_corrupt={len(broken)} leaves them out):\n  " + "\n  ".join(described)
        )
    for line in described:
        log.warning("left out: %s", line)
    splits = {s: [i for i in listing.splits[s] if i.name not in broken] for s in SPLITS}
    listing = replace(listing, splits=splits)
    refuse_empty_classes(listing)
    for line in describe_copies(listing, decoded.digests):
        log.warning("data.root: %s (equal files)", line)
    return listing, described
