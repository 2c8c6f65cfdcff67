"""A user's own images, one folder per class, with or without folders for the splits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from isplit.data.listing import Labelled, Listing, carve
from isplit.data.source import Source, open_root

IMAGE_TYPES = {".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif"}

_SPLIT_OF_FOLDER = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_WITH_SPLITS = re.compile(r"(?P<top>(?:.*/)??)train/[^/]+/.+")
_CLASSES_ALONE = re.compile(r"(?P<top>)[^/]+/.+")
_ADVICE = (
    "Put the images there in one folder per class: train/<class>/*.jpg with val/<class> and"
    " test/<class> if you have them, or <class>/*.jpg alone"
)


def list_images(root: Path | None, *, seed: int, test_fraction: float = 0.2) -> Listing:
    """The images of class folders; without a test folder, a part of train drawn by the seed.

    Expected at ``root`` (a folder, .zip or .tar), the last two if there are such::

        train/<class>/*      val|valid|validation/<class>/*      test/<class>/*

    or ``<class>/*`` alone, which is then divided.

    Raises:
        FileNotFoundError: there are no images in class folders.
        ValueError: a validation or test class that train does not have, or a test fraction
            that is not between 0 and 1.
    """
    source = open_root(root, _ADVICE, _WITH_SPLITS, _CLASSES_ALONE)
    split_of = _split_folders(source)
    class_names = _class_folders(source, "train/" if "train/" in split_of else "")
    images: dict[str, list[Labelled]] = {}
    for folder, split in split_of.items():
        images.setdefault(split, []).extend(label_by_folder(images_in(source, folder), class_names))
    splits = {split: tuple(labelled) for split, labelled in images.items()}
    if "test" not in splits:
        key = "data.test_fraction"
        splits["train"], splits["test"] = carve(splits["train"], test_fraction, seed, key=key)
    return Listing(source, class_names, splits)


def images_in(source: Source, folder: str) -> list[tuple[str, str]]:
    """Class and name of every image in the class folders of ``folder`` (``""``: the top)."""
    below = (name for name in source.names if name.startswith(folder))
    return [
        (name.removeprefix(folder).split("/")[0], name)
        for name in below
        if "/" in name.removeprefix(folder) and is_image(name)
    ]


def label_by_folder(
    images: Iterable[tuple[str, str]], class_names: tuple[str, ...]
) -> tuple[Labelled, ...]:
    """The images (class, name) with the number of their class.

    Raises:
        ValueError: a class that is not among the names.
    """
    number = {name: label for label, name in enumerate(class_names)}
    images = list(images)
    strange = sorted({name for name, _ in images} - set(number))
    if strange:
        raise ValueError(
            f"data.root: classes {', '.join(strange)} have no folder among those of train:"
            f" {', '.join(class_names)}"
        )
    return tuple(Labelled(name, number[class_name]) for class_name, name in images)


def is_image(name: str) -> bool:
    """Whether the name ends like an image's."""
    return PurePosixPath(name).suffix.lower() in IMAGE_TYPES


def _split_folders(source: Source) -> dict[str, str]:
    """Folder and split of each part that is there; without ``train`` everything belongs to it."""
    tops = {name.split("/")[0] for name in source.names if "/" in name}
    if "train" not in tops:
        return {"": "train"}
    return {f"{top}/": _SPLIT_OF_FOLDER[top] for top in sorted(tops & set(_SPLIT_OF_FOLDER))}


def _class_folders(source: Source, train: str) -> tuple[str, ...]:
    """Every folder of train, also one without images: that it is empty will be said by name."""
    inside = [name.removeprefix(train) for name in source.names if name.startswith(train)]
    return tuple(sorted({name.split("/")[0] for name in inside if "/" in name}))
