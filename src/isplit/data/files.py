"""Named image files in a folder, a .zip, an uncompressed .tar or an array."""

import os
import re
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path, PurePosixPath

import numpy as np

from isplit.data.download import Download, fetch
from isplit.data.walk import files_below, places_in_tar
from isplit.files import is_hidden

Root = Path | str | None
MOST_BYTES = 1 << 29  # of one file: what it holds is read into memory


@dataclass(frozen=True)
class Files:
    """Named files that can be read in any order and from any thread or process.

    Attributes:
        names: relative POSIX paths in byte order; one of a folder without files ends in a slash.
        read: gives the content of one file by its name.
        on_disk: whether they are more than arrays in memory.
    """

    names: tuple[str, ...]
    read: Callable[[str], bytes]
    on_disk: bool = True


def open_root(
    root: Root, advice: str, *layouts: re.Pattern[str], download: Download | None = None
) -> Files:
    """The files of a data set at ``root``, or in ``root.zip`` or ``root.tar`` beside it.

    Archives often hold the set in a folder of their own, sometimes twice: the files are those
    below the shortest path (the group ``top``) with the first of the ``layouts`` that is found.
    Without layouts all files are given. A ``download`` is fetched first, if nothing is there.

    Raises:
        FileNotFoundError: nothing is there, or not this layout; the message ends in ``advice``.
        ValueError: the file is neither a .zip nor an uncompressed .tar.
    """
    if root is None:
        raise FileNotFoundError(f"data.root is not set. {advice}")
    root = Path(root).expanduser()  # no shell expands data.root=~/x
    if download:
        fetch(download, root)
    places = [root, Path(f"{root}.zip"), Path(f"{root}.tar")]
    place = next((place for place in places if place.exists()), None)
    if place is None:
        raise FileNotFoundError(
            f"data.root={root}: there is none of {', '.join(map(str, places))}. {advice}"
        )
    files = open_files(place)
    for layout in layouts:
        tops = [match["top"] for name in files.names if (match := layout.fullmatch(name))]
        if tops:
            return _below(files, min(tops, key=len))
    if layouts:
        raise FileNotFoundError(f"data.root={place} has another layout than this set. {advice}")
    return files


def open_files(path: Path) -> Files:
    """The files of a folder or of an archive, which is read in place and never extracted.

    Hidden and special files are left out, and what macOS and network drives put beside them.
    """
    if path.is_dir():
        return Files(_sorted_visible(files_below(path)), partial(_read_below, path))
    if zipfile.is_zipfile(path) and not tarfile.is_tarfile(path):  # it may end with a zip in it
        _archive.cache_clear()
        names = _archive(path, os.getpid(), threading.get_ident()).namelist()
        return Files(_sorted_visible(names), partial(_read_member, path))
    try:
        places = places_in_tar(path)
    except tarfile.TarError:
        raise ValueError(
            f"data.root={path} is neither a folder, a .zip nor an uncompressed .tar;"
            " unpack a compressed .tar first, its files cannot be read in any order"
        ) from None
    return Files(_sorted_visible(places), partial(_read_place, path, places))


def array_files(images: np.ndarray) -> Files:
    """Images (N, S, S) or (N, S, S, 3) of bytes as PGM or PPM files named by their number."""
    names = tuple(str(number) for number in range(len(images)))
    return Files(names, partial(_as_netpbm, images), on_disk=False)


def _below(files: Files, folder: str) -> Files:
    """The files of one folder, named from there."""
    names = tuple(n.removeprefix(folder) for n in files.names if n.startswith(folder))
    return Files(names, partial(_read_from, files, folder))


def _read_from(files: Files, folder: str, name: str) -> bytes:
    return files.read(folder + name)


def _read_below(folder: Path, name: str) -> bytes:
    path = folder / name
    return _part(path, 0, path.stat().st_size)


@cache
def _archive(path: Path, process: int, thread: int) -> zipfile.ZipFile:
    """A zip archive, opened by each process and thread for itself."""
    return zipfile.ZipFile(path)


def _read_member(path: Path, name: str) -> bytes:
    archive = _archive(path, os.getpid(), threading.get_ident())
    _refuse_large(archive.getinfo(name).file_size)
    return archive.read(name)


def _read_place(path: Path, places: dict[str, tuple[int, int]], name: str) -> bytes:
    return _part(path, *places[name])


def _as_netpbm(images: np.ndarray, name: str) -> bytes:
    image = images[int(name)]
    kind = "P5" if image.ndim == 2 else "P6"
    return f"{kind} {image.shape[1]} {image.shape[0]} 255\n".encode() + bytes(image.tobytes())


def _part(path: Path, offset: int, size: int) -> bytes:
    _refuse_large(size)
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _refuse_large(size: int) -> None:
    if size > MOST_BYTES:
        raise ValueError(f"{size:,} bytes are more than the {MOST_BYTES:,} of one file")


def _sorted_visible(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if not is_hidden(PurePosixPath(name))}))
