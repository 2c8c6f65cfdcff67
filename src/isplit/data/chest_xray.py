"""Paediatric chest X-rays, normal or pneumonia: Kermany, Zhang, Goldbaum 2018 (CC BY 4.0)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from isplit.data.files import open_root
from isplit.data.folder import images_in, label_by_folder
from isplit.data.listing import Listing

CLASSES = ("NORMAL", "PNEUMONIA")

_LAYOUT = re.compile(r"(?P<top>(?:.*/)??)train/(?:NORMAL|PNEUMONIA)/[^/]+")
_ADVICE = (
    "Kaggle gives this set only to those who log in, so it cannot be downloaded from here: get it"
    " at https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia, then let"
    " data.root name the folder (or its .zip or .tar) that holds train/NORMAL and train/PNEUMONIA"
)


def list_images(root: Path | None, *, download: bool = False, **_: Any) -> Listing:
    """The X-rays of ``train`` and ``test`` in the original layout, any size, grey or RGB.

    The original ``val`` of 16 images is left aside: a model cannot be selected on so few, so the
    validation split is carved out of train. Nearly three in four training images show pneumonia.

    Raises:
        FileNotFoundError: the set is not there, or it was to be downloaded.
    """
    if download:
        raise FileNotFoundError(f"data.download=true: {_ADVICE}")
    files = open_root(root, _ADVICE, _LAYOUT)
    splits = {
        split: label_by_folder(images_in(files, f"{split}/"), CLASSES)
        for split in ("train", "test")
    }
    return Listing(files, CLASSES, splits)
