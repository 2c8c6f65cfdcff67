"""Arrays that cost seconds to make, kept in a file that is checked when it is read."""

import hashlib
import json
import logging
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isplit.files import replacing

log = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]


def cached(
    folder: Path | str,
    name: str,
    settings: Sequence[Any],
    make: Callable[[], Arrays],
    keep_if: Callable[[Arrays], bool] = lambda _: True,
) -> Arrays:
    """What ``make`` gives, from ``folder`` if these settings were made before.

    The file carries checksums of its arrays; one that is damaged is made anew. Two processes that
    make the same at once do no harm: each writes its own file and the last renaming stays.
    """
    key = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
    path = Path(folder).expanduser() / f"{name}-{key}.npz"
    arrays = _read(path)
    if arrays is None:
        arrays = make()
        if keep_if(arrays):
            _try_to_write(path, arrays)
    return arrays


def _read(path: Path) -> Arrays | None:
    """The arrays of a file, or ``None`` if it is not there or damaged, by its checksums."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s is damaged (%s) and is made anew", path, error)
        return None


def _try_to_write(path: Path, arrays: Arrays) -> None:
    """A cache that cannot be written costs time, never the result."""
    try:
        with replacing(path) as temporary:
            np.savez(temporary, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        log.warning("%s is not kept: %s", path, error)
