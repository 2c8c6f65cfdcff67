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
    parts = _parts(source)
    if not parts.get("train"):
        raise FileNotFoundError(f"data.root={root} holds no images in class folders. {_ADVICE}")
    class_names = tuple(sorted({class_name for class_name, _ in parts["train"]}))
    splits = {split: label_by_folder(images, class_names) for split, images in parts.items()}
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


def _parts(source: Source) -> dict[str, list[tuple[str, str]]]:
    """Class and name of the images of each split that has a folder; all are train's if none."""
    tops = {name.split("/")[0] for name in source.names if "/" in name}
    if "train" not in tops:
        return {"train": images_in(source, "")}
    parts: dict[str, list[tuple[str, str]]] = {}
    for folder in sorted(tops & set(_SPLIT_OF_FOLDER)):
        parts.setdefault(_SPLIT_OF_FOLDER[folder], []).extend(images_in(source, f"{folder}/"))
    return parts
