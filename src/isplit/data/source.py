"""Where the bytes of named image files come from: a folder, a .zip, a .tar or an array."""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import threading
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np


class Source(Protocol):
    """Named files that can be read in any order and from any process."""

    @property
    def names(self) -> tuple[str, ...]:
        """Relative POSIX paths in byte order; one of a folder without files ends in a slash."""

    def stamp(self) -> str | None:
        """A text that changes with the files; ``None`` if they are in memory anyway."""

    def read(self, name: str) -> bytes:
        """The content of one file."""


def open_source(path: Path) -> Source:
    """The files of a folder or of an archive, which is read in place and never extracted.

    Raises:
        ValueError: the file is neither a .zip nor an uncompressed .tar.
    """
    if path.is_dir():
        return FolderSource(path)
    if zipfile.is_zipfile(path):
        return ZipSource(path)
    if _is_plain_tar(path):
        return TarSource(path)
    raise ValueError(
        f"data.root={path} is neither a folder, a .zip nor an uncompressed .tar;"
        " unpack a compressed .tar first, its files cannot be read in any order"
    )


def open_root(root: Path | None, advice: str, *layouts: re.Pattern[str]) -> Source:
    """The files of a data set at ``root``, or in ``root.zip`` or ``root.tar`` beside it.

    Archives often hold the set in a folder of their own, sometimes twice: the files are those
    below the shortest path (the group ``top``) with the first of the ``layouts`` that is found.

    Raises:
        FileNotFoundError: nothing is there, or not this layout; the message ends in ``advice``.
    """
    if root is None:
        raise FileNotFoundError(f"data.root is not set. {advice}")
    places = [root, root.with_name(f"{root.name}.zip"), root.with_name(f"{root.name}.tar")]
    place = next((place for place in places if place.exists()), None)
    if place is None:
        raise FileNotFoundError(
            f"data.root={root}: there is none of {', '.join(map(str, places))}. {advice}"
        )
    source = open_source(place)
    for layout in layouts:
        tops = [match["top"] for name in source.names if (match := layout.fullmatch(name))]
        if tops:
            return Below(source, min(tops, key=len))
    raise FileNotFoundError(f"data.root={place} has another layout than this set. {advice}")


class FolderSource:
    """The files below a folder; links are followed, hidden files are not listed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.names = _sorted_visible(_files_below(folder))

    def stamp(self) -> str:
        """Hash of names, sizes and times of the files."""
        digest = hashlib.sha256()
        for name in self.names:
            digest.update(f"{name} {_stamp(self._folder / name)}\n".encode())
        return digest.hexdigest()

    def read(self, name: str) -> bytes:
        """The content of one file."""
        return (self._folder / name).read_bytes()


class ZipSource:
    """The members of a zip archive; each process opens the file for itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with zipfile.ZipFile(path) as archive:
            self.names = _sorted_visible(archive.namelist())
        self._opened: dict[tuple[int, int], zipfile.ZipFile] = {}

    def stamp(self) -> str:
        """Size and time of the archive."""
        return _stamp(self._path)

    def read(self, name: str) -> bytes:
        """The content of one member."""
        return self._archive().read(name)

    def _archive(self) -> zipfile.ZipFile:
        """Shared by no two processes or threads: a file position is no thing to share."""
        owner = (os.getpid(), threading.get_ident())
        if owner not in self._opened:
            self._opened[owner] = zipfile.ZipFile(self._path)
        return self._opened[owner]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_opened": {}}


class TarSource:
    """The regular files of an uncompressed tar archive, read by their offset."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with tarfile.open(path, "r:") as archive:
            members = archive.getmembers()
        files = [member for member in members if member.isreg()]
        folders = [f"{_plain(member.name)}/" for member in members if member.isdir()]
        self._places = {_plain(file.name): (file.offset_data, file.size) for file in files}
        self.names = _sorted_visible([*self._places, *folders])

    def stamp(self) -> str:
        """Size and time of the archive."""
        return _stamp(self._path)

    def read(self, name: str) -> bytes:
        """The content of one member."""
        offset, size = self._places[name]
        with self._path.open("rb") as file:
            file.seek(offset)
            return file.read(size)


class ArraySource:
    """Images of a uint8 array (N, S, S) or (N, S, S, 3) as Netpbm files named by their number."""

    def __init__(self, images: np.ndarray) -> None:
        self._images = images
        self.names = tuple(str(number) for number in range(len(images)))

    def stamp(self) -> None:
        """None: there is nothing to save."""
        return

    def read(self, name: str) -> bytes:
        """One image as a PGM (grey) or PPM (RGB) file."""
        image = self._images[int(name)]
        kind = "P5" if image.ndim == 2 else "P6"
        height, width = image.shape[:2]
        return f"{kind} {width} {height} 255\n".encode() + bytes(image.tobytes())


class Below:
    """The files of another source below one of its folders, named from there."""

    def __init__(self, source: Source, prefix: str) -> None:
        self._source, self._prefix = source, prefix
        self.names = tuple(n.removeprefix(prefix) for n in source.names if n.startswith(prefix))

    def stamp(self) -> str | None:
        """The whole source's."""
        return self._source.stamp()

    def read(self, name: str) -> bytes:
        """The content of one file."""
        return self._source.read(self._prefix + name)


def _is_plain_tar(path: Path) -> bool:
    try:
        tarfile.open(path, "r:").close()
    except tarfile.TarError:
        return False
    return True


def _stamp(path: Path) -> str:
    if not path.exists():
        return "missing"  # a link to nowhere: reading it will say so by name
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns}"


def _files_below(folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(folder, followlinks=True):
        place = Path(parent).relative_to(folder)
        yield from ((place / file).as_posix() for file in files)
        if not files and not folders:
            yield f"{place.as_posix()}/"


def _sorted_visible(names: Iterable[str]) -> tuple[str, ...]:
    """Without hidden files and the resource forks that macOS puts into archives."""
    return tuple(sorted({name for name in names if not _is_hidden(name)}))


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _plain(name: str) -> str:
    return name.removeprefix("./")
