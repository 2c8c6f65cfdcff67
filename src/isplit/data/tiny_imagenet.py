"""Tiny-ImageNet: 200 classes of ImageNet at 64 x 64 pixels, from Stanford's CS231N."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from isplit.data.download import Download
from isplit.data.files import Files, Root, open_root
from isplit.data.listing import Labelled, Listing

# The MD5 is not the publisher's, who gives none; independent public loaders of this file agree
# on it (and on the size).
DOWNLOAD = Download(
    urls=("http://cs231n.stanford.edu/tiny-imagenet-200.zip",),
    file_name="tiny-imagenet-200.zip",
    known_hash="md5:90528d7ca1a48142e341f4ef8d21d0de",
    size_bytes=248_100_043,
)

_LAYOUT = re.compile(r"(?P<top>(?:.*/)??)wnids\.txt")
_TRAIN_IMAGE = re.compile(r"train/(?P<wnid>n\d+)/(?:images/)?[^/]+\.JPEG")
_ADVICE = (
    "Fetch it by data.download=true (248 MB), or let data.root name the folder (or its .zip or"
    " .tar) with wnids.txt, words.txt, train/<wnid>/images and val/val_annotations.txt"
)


def list_images(root: Root, *, download: bool = False, **_: Any) -> Listing:
    """Training images, and the labelled ``val`` images as the test split.

    The original ``test`` has no labels and is not used; the validation split is carved out of
    train. A class has a readable name, unique in the set; its WordNet id is another name of it.

    Raises:
        FileNotFoundError: the set is not there, or a part of it is missing.
        ValueError: an annotation names a class that ``wnids.txt`` does not have.
    """
    offer = DOWNLOAD if download else None
    files = open_root(root, _ADVICE, _LAYOUT, download=offer)
    wnids = tuple(_lines(files, "wnids.txt"))
    label = {wnid: number for number, wnid in enumerate(wnids)}
    train = [
        (name, match["wnid"]) for name in files.names if (match := _TRAIN_IMAGE.fullmatch(name))
    ]
    annotated = [line.split("\t") for line in _lines(files, "val/val_annotations.txt")]  # and boxes
    test = [(f"val/images/{file}", wnid) for file, wnid, *_ in annotated]
    splits = {"train": _labelled(train, label), "test": _labelled(test, label)}
    words = dict(line.split("\t", 1) for line in _lines(files, "words.txt") if "\t" in line)
    return Listing(files, readable_names(wnids, words), splits, aliases=label)


def readable_names(wnids: Sequence[str], words: Mapping[str, str]) -> tuple[str, ...]:
    """For each WordNet id its first word; all its words, then the id too, where that is shared.

    >>> words = {"n1": "ox, neat", "n2": "crane", "n3": "crane, derrick", "n4": "bat", "n5": "bat"}
    >>> readable_names(list(words), words)
    ('ox', 'crane', 'crane, derrick', 'bat (n4)', 'bat (n5)')
    """
    long = [words.get(wnid, wnid) for wnid in wnids]
    short = [name.split(",")[0].strip() for name in long]
    num_short, num_long = Counter(short), Counter(long)
    return tuple(
        first if num_short[first] == 1 else every if num_long[every] == 1 else f"{first} ({wnid})"
        for wnid, first, every in zip(wnids, short, long, strict=True)
    )


def _labelled(images: Sequence[tuple[str, str]], label: Mapping[str, int]) -> tuple[Labelled, ...]:
    strange = sorted({wnid for _, wnid in images} - set(label))
    if strange:
        raise ValueError(f"data.root: wnids.txt lacks {', '.join(strange)}, which have images")
    return tuple(Labelled(name, label[wnid]) for name, wnid in images)


def _lines(files: Files, name: str) -> list[str]:
    if name not in files.names:
        raise FileNotFoundError(f"data.root lacks {name}. {_ADVICE}")
    return [line for line in files.read(name).decode().splitlines() if line.strip()]
