"""notMNIST: letters A-J cut from fonts found on the web, 28 x 28 grey (Yaroslav Bulatov, 2011)."""

import gzip
import hashlib
import os
import re
import struct
import zlib
from typing import Any

import numpy as np

from isplit.data.download import Download
from isplit.data.files import Files, Root, array_files, open_root
from isplit.data.folder import label_by_folder
from isplit.data.listing import Labelled, Listing

CLASSES = tuple("ABCDEFGHIJ")
TRAIN_FRACTION = 0.8  # of a set that comes in one part

# Neither publisher's page gives a checksum; independent public loaders agree on this MD5 and size.
DOWNLOAD = Download(
    urls=(
        "http://yaroslavvb.com/upload/notMNIST/notMNIST_small.tar.gz",
        "https://commondatastorage.googleapis.com/books1000/notMNIST_small.tar.gz",
    ),
    file_name="notMNIST_small.tar.gz",
    known_hash="md5:c9890a473a9769fda4bdf314aaf500dd",
    size_bytes=8_458_043,
)

_IDX_LAYOUT = re.compile(r"(?P<top>(?:.*/)??)(?:train|t10k)-images[-.]idx3-ubyte(?:\.gz)?")
_PNG_LAYOUT = re.compile(r"(?P<top>(?:.*/)??)[A-J]/[^/]+\.png")
_ADVICE = (
    "Fetch the small set by data.download=true (8 MB; 2 of its PNGs are damaged, so add"
    " data.max_corrupt=2), or let data.root name a folder (or .zip or .tar) with t10k-images-idx3"
    "-ubyte[.gz] and t10k-labels-idx1-ubyte[.gz], or with folders A .. J of PNGs"
)


def list_images(root: Root, *, download: bool = False, **_: Any) -> Listing:
    """The letters of idx files, or of folders ``A`` .. ``J`` of PNGs.

    With both ``train-*`` and ``t10k-*`` idx files these are train and test. A single pair is
    divided in file order, the first 80 % to train (8,000 of the 10,000 images of ``t10k``).
    Folders are divided per class in the order of the SHA-1 of the file names, so that no part of
    the alphabet of font names is missing in train, and the seed changes nothing.

    Raises:
        FileNotFoundError: the set is not there.
        ValueError: a file is damaged or of another kind than its name says.
    """
    offer = DOWNLOAD if download else None
    files = open_root(root, _ADVICE, _IDX_LAYOUT, _PNG_LAYOUT, download=offer)
    if any(_IDX_LAYOUT.fullmatch(name) for name in files.names):
        return _list_idx(files)
    return _list_folders(files)


def read_idx(content: bytes, name: str = "idx") -> np.ndarray:
    """The array of unsigned bytes in an idx file, gzipped or not: (N, H, W) or (N,).

    Raises:
        ValueError: another kind of file, or fewer or more bytes than the header says.
    """
    try:
        content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        if content[:3] != b"\0\0\x08":
            raise ValueError(f"it begins {content[:4]!r}")
        shape = struct.unpack_from(f">{content[3]}i", content, 4)
        return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
    except (OSError, EOFError, zlib.error, IndexError, struct.error, ValueError) as error:
        raise ValueError(f"{name} is no whole idx file of unsigned bytes: {error}") from error


def _list_idx(files: Files) -> Listing:
    """``train`` and ``t10k`` as they are, or the one pair that is there divided in file order."""
    there = " ".join(files.names)
    parts = {part: _pair(files, part) for part in ("train", "t10k") if f"{part}-images" in there}
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts.values(), strict=True))
    first = len(next(iter(parts.values()))[1])
    num_train = first if len(parts) == 2 else round(TRAIN_FRACTION * first)
    labelled = tuple(Labelled(str(n), int(label)) for n, label in enumerate(labels))
    splits = {"train": labelled[:num_train], "test": labelled[num_train:]}
    return Listing(array_files(images), CLASSES, splits)


def _pair(files: Files, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, H, W) and labels (N,) of ``train`` or ``t10k``."""
    images, labels = (_read(files, f"{part}-images", 3), _read(files, f"{part}-labels", 1))
    largest = labels.max(initial=0)
    if images.ndim != 3 or labels.shape != images.shape[:1] or largest >= len(CLASSES):
        raise ValueError(
            f"data.root: {part} has images of shape {images.shape} and labels of shape"
            f" {labels.shape} up to {largest}, not (N, H, W), (N,) and 0..9"
        )
    return images, labels


def _read(files: Files, what: str, num_axes: int) -> np.ndarray:
    pattern = re.compile(rf"{what}[-.]idx{num_axes}-ubyte(?:\.gz)?")
    for name in filter(pattern.fullmatch, files.names):
        return read_idx(files.read(name), name)
    raise FileNotFoundError(f"data.root lacks {what}-idx{num_axes}-ubyte[.gz]. {_ADVICE}")


def _list_folders(files: Files) -> Listing:
    """Per class the first 80 % in the order of the hashed file names is train, the rest test."""
    labelled = sorted(label_by_folder(files, "", CLASSES), key=_name_hash)
    splits: dict[str, tuple[Labelled, ...]] = {"train": (), "test": ()}
    for label in range(len(CLASSES)):
        of_class = tuple(image for image in labelled if image.label == label)
        num_train = round(TRAIN_FRACTION * len(of_class))
        splits["train"] += of_class[:num_train]
        splits["test"] += of_class[num_train:]
    return Listing(files, CLASSES, splits)


def _name_hash(image: Labelled) -> str:
    file_name = os.fsencode(image.name.rsplit("/")[-1])
    return hashlib.sha1(file_name, usedforsecurity=False).hexdigest()
