"""One function from the keys of ``conf/data`` to an ``ImageData``."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import ImageColor

from isplit.data import folder, letters, notmnist, tiny_imagenet
from isplit.data.album import decoded_images
from isplit.data.choice import choose_classes, group_classes
from isplit.data.class_map import outputs_for
from isplit.data.decode import How
from isplit.data.files import shown
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

log = logging.getLogger(__name__)

DATA_SETS: dict[str, Callable[..., Listing]] = {
    "letters": letters.list_images,
    "notmnist": notmnist.list_images,
    "tiny_imagenet": tiny_imagenet.list_images,
    "chest_xray": folder.list_chest_images,
    "folder": folder.list_images,
}
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
    root = None if root is None else Path(root).expanduser()  # no shell expands data.root=~/x
    cache_dir = Path(cache_dir).expanduser()
    how = How(image_size, fit, background, None if range is None else (range[0], range[1]))
    preparation = Preparation(_three(mean), _three(std), augment)
    own = {"image_size": image_size, "cache_dir": cache_dir, "seed": seed, "download": download}
    listing = DATA_SETS[name](root, **own, **others)
    listing = choose_classes(listing, classes)
    listing = group_classes(listing, groups)
    listing = limit_images(listing, images_per_class, seed)
    listing = carve_validation(listing, validation_fraction, seed)
    refuse_empty_classes(listing)
    names_of = listing.class_names, listing.aliases
    outputs = outputs_for(class_map, *names_of) if class_map else None
    names = sorted({image.name for split in SPLITS for image in listing.splits[split]})
    memory_bytes = memory_gb * _BYTES_PER_GB
    decoded = decoded_images(
        listing.files, names, how, memory_bytes=memory_bytes, cache_dir=cache_dir
    )
    skipped = _skip_corrupt(decoded.broken, max_corrupt)
    splits = {
        split: [image for image in listing.splits[split] if image.name not in decoded.broken]
        for split in SPLITS
    }
    listing = replace(listing, splits=splits)
    refuse_empty_classes(listing)
    for line in describe_copies(listing, decoded.digests):
        log.warning("data.root: %s (equal files)", line)
    return ImageData(
        name,
        listing.class_names,
        decoded,
        splits,
        preparation,
        skipped=skipped,
        num_workers=num_workers,
        outputs=outputs,
    )


def _refuse_misfits(name: str, others: Mapping[str, Any], **keys: Any) -> None:
    """Raise ValueError for values that the comments in ``conf/data`` do not allow."""
    if name not in DATA_SETS:
        raise ValueError(f"data={name!r} is none of {', '.join(DATA_SETS)}")
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


def _skip_corrupt(broken: Mapping[str, str], max_corrupt: int) -> tuple[str, ...]:
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
