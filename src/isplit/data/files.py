"""Named image files in a folder, a .zip, an uncompressed .tar or an array."""

from __future__ import annotations

import logging
import os
import re
import tarfile
import threading
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np

from isplit.data.walk import files_below

log = logging.getLogger(__name__)

MOST_BYTES = 1 << 29  # of one file: what it holds is read into memory


class Files(Protocol):
    """Named files that can be read in any order and from any thread or process."""

    @property
    def names(self) -> tuple[str, ...]:
        """Relative POSIX paths in byte order; one of a folder without files ends in a slash."""

    def read(self, name: str) -> bytes:
        """The content of one file."""


def open_root(root: Path | None, advice: str, *layouts: re.Pattern[str]) -> Files:
    """The files of a data set at ``root``, or in ``root.zip`` or ``root.tar`` beside it.

    Archives often hold the set in a folder of their own, sometimes twice: the files are those
    below the shortest path (the group ``top``) with the first of the ``layouts`` that is found.
    Without layouts all files are given.

    Raises:
        FileNotFoundError: nothing is there, or not this layout; the message ends in ``advice``.
        ValueError: the file is neither a .zip nor an uncompressed .tar.
    """
    if root is None:
        raise FileNotFoundError(f"data.root is not set. {advice}")
    places = [root, root.with_name(f"{root.name}.zip"), root.with_name(f"{root.name}.tar")]
    place = next((place for place in places if place.exists()), None)
    if place is None:
        raise FileNotFoundError(
            f"data.root={root}: there is none of {', '.join(map(str, places))}. {advice}"
        )
    files = open_files(place)
    for layout in layouts:
        tops = [match["top"] for name in files.names if (match := layout.fullmatch(name))]
        if tops:
            return Below(files, min(tops, key=len))
    if layouts:
        raise FileNotFoundError(f"data.root={place} has another layout than this set. {advice}")
    return files


def open_files(path: Path) -> Files:
    """The files of a folder or of an archive, which is read in place and never extracted."""
    if path.is_dir():
        return FolderFiles(path)
    if zipfile.is_zipfile(path):
        return ZipFiles(path)
    try:
        return TarFiles(path)
    except tarfile.TarError:
        raise ValueError(
            f"data.root={path} is neither a folder, a .zip nor an uncompressed .tar;"
            " unpack a compressed .tar first, its files cannot be read in any order"
        ) from None


class FolderFiles:
    """The files below a folder, each folder once; hidden and special files are left out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        names, left_out = files_below(folder)
        self.names = _sorted_visible(names)
        if left_out:
            log.warning(
                "data.root: %d left out (special files, or links to what is read anyway): %s",
                *(len(left_out), shown(left_out[:5])),
            )

    def read(self, name: str) -> bytes:
        """The content of one file."""
        path = self._folder / name
        return _part(path, 0, path.stat().st_size)


class ZipFiles:
    """The members of a zip archive; each process and thread opens it for itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: dict[tuple[int, int], zipfile.ZipFile] = {}
        self.names = _sorted_visible(self._archive().namelist())

    def read(self, name: str) -> bytes:
        """The content of one member."""
        _refuse_large(self._archive().getinfo(name).file_size)
        return self._archive().read(name)

    def _archive(self) -> zipfile.ZipFile:
        owner = (os.getpid(), threading.get_ident())
        if owner not in self._opened:
            self._opened[owner] = zipfile.ZipFile(self._path)
        return self._opened[owner]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_opened": {}}


class TarFiles:
    """The regular files of an uncompressed tar archive, read by their offset."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, tuple[int, int]] = {}
        folders = []
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                name = _plain(member.name)
                if member.isreg():
                    self._places[name] = (member.offset_data, member.size)
                elif (
                    member.islnk()
                    and (linked := member.linkname.removeprefix("./")) in self._places
                ):
                    self._places[name] = self._places[linked]
                elif member.isdir():
                    folders.append(f"{name}/")
        self.names = _sorted_visible([*self._places, *folders])

    def read(self, name: str) -> bytes:
        """The content of one member."""
        return _part(self._path, *self._places[name])


class ArrayFiles:
    """Images of a uint8 array (N, S, S) or (N, S, S, 3) as Netpbm files named by their number."""

    def __init__(self, images: np.ndarray) -> None:
        self._images = images
        self.names = tuple(str(number) for number in range(len(images)))

    def read(self, name: str) -> bytes:
        """One image as a PGM (grey) or PPM (RGB) file."""
        image = self._images[int(name)]
        height, width = image.shape[:2]
        kind = "P5" if image.ndim == 2 else "P6"
        return f"{kind} {width} {height} 255\n".encode() + bytes(image.tobytes())


class Below:
    """The files of one folder of other files, named from there."""

    def __init__(self, files: Files, prefix: str) -> None:
        self._files, self._prefix = files, prefix
        self.names = tuple(n.removeprefix(prefix) for n in files.names if n.startswith(prefix))

    def read(self, name: str) -> bytes:
        """The content of one file."""
        return self._files.read(self._prefix + name)


def shown(names: str | Iterable[str]) -> str:
    """Names as text that can be written anywhere, also those that are no UTF-8.

    >>> shown(["a.png", "b" + chr(0xE9) + chr(10)]) == "a.png, b" + chr(0xE9) + chr(92) + "n"
    True
    """
    text = names if isinstance(names, str) else ", ".join(names)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _part(path: Path, offset: int, size: int) -> bytes:
    _refuse_large(size)
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _refuse_large(size: int) -> None:
    if size > MOST_BYTES:
        raise ValueError(f"{size:,} bytes are more than the {MOST_BYTES:,} of one file")


def _sorted_visible(names: Sequence[str]) -> tuple[str, ...]:
    """Without hidden files and what macOS and network drives put beside them."""
    return tuple(sorted({name for name in names if not _is_hidden(name)}))


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part in ("__MACOSX", "@eaDir") for part in parts)


def _plain(name: str) -> str:
    return name.removeprefix("./")
