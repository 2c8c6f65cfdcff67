"""The files below a folder, each folder read once, or in a tar archive; links are followed."""

import logging
import os
import posixpath
import stat
import tarfile
from pathlib import Path

from isplit.files import shown

log = logging.getLogger(__name__)


def files_below(root: Path) -> list[str]:
    """Names of the files; what is left out is said.

    Links to folders are followed after all else, so that what a link leads to keeps its own name.
    A folder that was read, and one that holds the root, is not read through a link.
    """
    seen = set(root.resolve().parents)
    names: list[str] = []
    left_out: list[str] = []
    waiting = [root]
    for start in waiting:  # grows while it is walked
        if start.resolve() in seen:
            left_out.append(start.relative_to(root).as_posix())
            continue
        for parent, folders, files in os.walk(start, onerror=lambda e: left_out.append(str(e))):
            here = Path(parent)
            seen.add(here.resolve())
            inside = [here / name for name in sorted(folders)]
            waiting += [path for path in inside if path.is_symlink()]
            folders[:] = [p.name for p in inside if not p.is_symlink() and p.resolve() not in seen]
            place = here.relative_to(root)
            for file in files:
                kept = _is_regular(here / file)
                (names if kept else left_out).append((place / file).as_posix())
            if not files and not folders:
                names.append(f"{place.as_posix()}/")
    if left_out:
        log.warning(
            "data.root: %d left out (special files, or links to what is read anyway): %s",
            *(len(left_out), shown(left_out[:5])),
        )
    return names


def places_in_tar(path: Path) -> dict[str, tuple[int, int]]:
    """Offset and size of the files in a tar archive; a folder's name ends in a slash.

    A link is the file that it leads to; how many lead to none is said.

    Raises:
        tarfile.TarError: it is no uncompressed tar archive.
    """
    places: dict[str, tuple[int, int]] = {}
    links: dict[str, str] = {}
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            name, linked = member.name.removeprefix("./"), member.linkname.removeprefix("./")
            if member.isdir():
                places[f"{name}/"] = (0, 0)
            elif member.isreg():
                places[name] = (member.offset_data, member.size)
            elif member.islnk():
                links[name] = linked
            elif member.issym():
                links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), linked))
    while found := {name: places[to] for name, to in links.items() if to in places}:
        places |= found
        links = {name: to for name, to in links.items() if name not in found}
    if links:
        lost = shown(sorted(links)[:5])
        log.warning("data.root: %d links to no file of the archive left out: %s", len(links), lost)
    return places


def _is_regular(path: Path) -> bool:
    """Whether it can be read to an end; a link to nowhere is kept, reading it will name it."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True
