"""Images in one folder per class: a user's own, or the chest X-rays of Kermany et al. 2018."""

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from isplit.data.decode import FORMATS_OF_ENDING
from isplit.data.files import Files, Root, open_root
from isplit.data.layout import find_splits
from isplit.data.listing import Labelled, Listing, carve
from isplit.files import shown

log = logging.getLogger(__name__)

CHEST_CLASSES = ("NORMAL", "PNEUMONIA")

_CHEST_LAYOUT = re.compile(r"(?P<top>(?:.*/)??)train/(?:NORMAL|PNEUMONIA)/[^/]+")
_CHEST_ADVICE = (
    "Kaggle gives this set only to those who log in, so it cannot be downloaded from here: get it"
    " at https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia, then let"
    " data.root name the folder (or its .zip or .tar) that holds train/NORMAL and train/PNEUMONIA"
)
_ADVICE = (
    "Put the images there in one folder per class: train/<class>/*.jpg with val/<class> and"
    " test/<class> if you have them, or <class>/*.jpg alone"
)


def list_images(root: Root, *, seed: int, test_fraction: float = 0.2, **_: Any) -> Listing:
    """The images of class folders; without a test folder, a part of train drawn by the seed.

    Expected at ``root`` (a folder, .zip or .tar), the last two if there are such::

        train/<class>/*      validation/<class>/*      test/<class>/*

    or ``<class>/*`` alone, which is then divided. What is taken for what is logged.

    Raises:
        FileNotFoundError: there are no images in class folders.
        ValueError: a layout that is not clear, a validation or test class that train does not
            have, or fewer than two classes.
    """
    files = open_root(root, _ADVICE)
    images = {name for name in files.names if is_image(name)}
    if not any("/" in name for name in images):
        raise FileNotFoundError(f"data.root={root} has another layout than this set. {_ADVICE}")
    folders = find_splits(files.names, images)
    class_names = _class_folders(files, folders["train"])
    splits = {
        split: label_by_folder(files, folder, class_names) for split, folder in folders.items()
    }
    if "test" not in splits:
        splits["train"], splits["test"] = carve(splits["train"], test_fraction, seed)
    passed_over = _passed_over(files, splits)
    log.info("data.root: %s%s", _described(folders, class_names), passed_over)
    return Listing(files, class_names, splits, passed_over=passed_over)


def list_chest_images(root: Root, *, download: bool = False, **_: Any) -> Listing:
    """Paediatric X-rays, normal or pneumonia (CC BY 4.0): ``train`` and ``test`` as published.

    The original ``val`` of 16 images is left aside: a model cannot be selected on so few, so the
    validation split is carved out of train. Nearly three in four training images show pneumonia.

    Raises:
        FileNotFoundError: the set is not there, or it was to be downloaded.
    """
    if download:
        raise FileNotFoundError(f"data.download=true: {_CHEST_ADVICE}")
    files = open_root(root, _CHEST_ADVICE, _CHEST_LAYOUT)
    splits = {s: label_by_folder(files, f"{s}/", CHEST_CLASSES) for s in ("train", "test")}
    return Listing(files, CHEST_CLASSES, splits)


def label_by_folder(files: Files, folder: str, class_names: Sequence[str]) -> tuple[Labelled, ...]:
    """Every image in the class folders of ``folder`` (``""``: the top), labelled by its class.

    Raises:
        ValueError: a class that is not among the names.
    """
    below = [n.removeprefix(folder) for n in files.names if n.startswith(folder) and is_image(n)]
    images = [(name.split("/")[0], f"{folder}{name}") for name in below if "/" in name]
    number = {name: label for label, name in enumerate(class_names)}
    strange = sorted({name for name, _ in images} - set(number))
    if strange:
        raise ValueError(
            f"data.root: classes {shown(strange)} have no folder among those of train:"
            f" {shown(class_names)}"
        )
    return tuple(Labelled(name, number[class_name]) for class_name, name in images)


def is_image(name: str) -> bool:
    """Whether the name ends like an image's."""
    return PurePosixPath(name).suffix.lower() in FORMATS_OF_ENDING


def _class_folders(files: Files, train: str) -> tuple[str, ...]:
    """Every folder of train, also one without images: that it is empty will be said by name."""
    inside = [name.removeprefix(train) for name in files.names if name.startswith(train)]
    names = tuple(sorted({name.split("/")[0] for name in inside if "/" in name}))
    if len(names) < 2:
        raise ValueError(
            f"data.root: there is one class folder alone, {shown(train + names[0])}: a classifier"
            " needs two"
        )
    odd = [name for name in names if shown(name) != name]
    if odd:
        raise ValueError(
            f"data.root: class folders with names that cannot be written: {shown(odd)}; rename them"
        )
    return names


def _passed_over(files: Files, splits: Mapping[str, tuple[Labelled, ...]]) -> str:
    """How many files are in no split, by ending; empty if there are none."""
    taken = {image.name for images in splits.values() for image in images}
    left = [name for name in files.names if name not in taken and not name.endswith("/")]
    endings = Counter(PurePosixPath(name).suffix.lower() or "without ending" for name in left)
    counts = ", ".join(f"{count} {shown(ending)}" for ending, count in sorted(endings.items()))
    return f"; passed over: {counts}" if counts else ""


def _described(folders: Mapping[str, str], class_names: tuple[str, ...]) -> str:
    parts = [f"{split} is {shown(folder) or 'all'}" for split, folder in folders.items()]
    more = ", ..." if len(class_names) > 10 else ""
    return f"{', '.join(parts)}; {len(class_names)} classes: {shown(class_names[:10])}{more}"
