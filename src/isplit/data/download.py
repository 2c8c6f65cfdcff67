"""Public archives onto this disk: progress, resume, checksum, and unpacking that cannot escape."""

import logging
import shutil
import tarfile
import tempfile
import time
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pooch
import requests
import rich.progress
from filelock import FileLock
from urllib3.exceptions import HTTPError

log = logging.getLogger(__name__)

ATTEMPTS = 5  # at one address; each goes on where the one before broke off
_WAIT_S = 1.0  # before the second attempt, then twice as long each time
_TIMEOUT_S = 30.0  # without a byte
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Download:
    """A public archive.

    Attributes:
        urls: of the same file, tried in this order.
        file_name: it is kept under.
        known_hash: ``algorithm:hex digits``.
        size_bytes: what is said before it starts.
    """

    urls: tuple[str, ...]
    file_name: str
    known_hash: str
    size_bytes: int


def fetch(download: Download, root: Path, *, wait_s: float = _WAIT_S) -> None:
    """Put the files of a public archive into the folder ``root``, unless there are files already.

    The archive stays beside ``root``. Of two processes that ask at once the second waits. When
    the connection breaks, what has arrived is kept and the next attempt goes on from there.

    Raises:
        FileNotFoundError: no address gave the right file; says why for each.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.parent / f".{root.name}.lock"):
        if root.is_file() or (root.is_dir() and any(root.iterdir())):
            log.info("data.download: %s is there already, nothing is fetched", root)
            return
        extract(_archive(download, root.parent, wait_s), root)


def extract(archive: Path, folder: Path) -> None:
    """Unpack a .zip or .tar into ``folder``, wholly or not at all.

    A single folder at the top of the archive becomes ``folder`` itself.

    Members cannot land outside: names are made relative, links of a .tar that lead out raise.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        unpacked = Path(temporary, "files")
        unpacked.mkdir()
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(unpacked)
        else:
            with tarfile.open(archive) as packed:
                packed.extractall(unpacked, filter="data")
        tops = list(unpacked.iterdir())
        only_folder = len(tops) == 1 and tops[0].is_dir()
        (tops[0] if only_folder else unpacked).rename(folder)


def _archive(download: Download, folder: Path, wait_s: float) -> Path:
    """The file with the known hash, from the first address that gives it."""
    name = download.file_name
    log.info("data.download: %s, %.0f MB", name, download.size_bytes / 1e6)
    resumed = partial(_resumed, folder / f"{name}.part", wait_s)  # pooch would start anew
    failures = []
    for url in download.urls:
        try:
            return Path(pooch.retrieve(url, download.known_hash, name, folder, downloader=resumed))
        except (ValueError, OSError, HTTPError) as error:  # wrong hash, no file, no connection
            failures.append(f"{url}: {error}")
    raise FileNotFoundError(
        f"data.download=true: {name} could not be fetched; run again to go on, or"
        f" put the file at {folder / name} yourself:\n  " + "\n  ".join(failures)
    )


def _resumed(arrived: Path, wait_s: float, url: str, output_file: str, _: object) -> None:
    """Fetch into ``arrived``, going on where it ends, then move it to where pooch checks it."""
    for attempt in range(ATTEMPTS):
        try:
            _go_on(arrived, url)
            break
        except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
            if attempt == ATTEMPTS - 1:
                raise
            log.warning("data.download: %s; trying again", error)
            time.sleep(wait_s * 2**attempt)
    shutil.move(arrived, output_file)


def _go_on(arrived: Path, url: str) -> None:
    """Append what is missing; from the beginning if the server cannot send a part."""
    here = arrived.stat().st_size if arrived.exists() else 0
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={here}-"}
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable and here:
            return  # nothing is missing; the hash will tell
        response.raise_for_status()
        mode = "ab" if response.status_code == requests.codes.partial_content else "wb"
        length = int(response.headers.get("Content-Length", 0))
        rest = rich.progress.wrap_file(response.raw, length, description=arrived.stem)
        with arrived.open(mode) as file, rest as source:
            shutil.copyfileobj(source, file, _CHUNK_BYTES)
