"""Files that are either whole or not there, and where those of ``conf/`` lie."""

import csv
import hashlib
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``; what is written there takes its place at the end.

    When the block raises, or the process dies, ``path`` stays as it was. The name keeps the
    suffix, by which many writers choose a format.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text(), len(list(target.parent.iterdir()))
    ('whole', 1)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def csv_text(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table as CSV.

    >>> print(csv_text(["layer", "accuracy"], [["block1, pool", 0.5]]), end="")
    layer,accuracy
    "block1, pool",0.5
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all; NaN and infinity are refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def shown(names: str | Iterable[str]) -> str:
    """Names as text that can be written anywhere, also those that are no UTF-8.

    >>> shown(["a.png", "b" + chr(0xE9) + chr(10)]) == "a.png, b" + chr(0xE9) + chr(92) + "n"
    True
    """
    text = names if isinstance(names, str) else ", ".join(names)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def beginning(name: str, most_bytes: int) -> str:
    """The characters that a name begins with, as many as so many bytes hold.

    >>> beginning("caf" + chr(0xE9), 4)
    'caf'
    """
    return name.encode()[:most_bytes].decode(errors="ignore")


def is_hidden(path: PurePath) -> bool:
    """Whether part of a relative path is hidden, or what macOS and network drives put there."""
    return any(part.startswith(".") or part in ("__MACOSX", "@eaDir") for part in path.parts)


def conf_folder() -> Path:
    """The folder ``conf``: beside the script that runs, in the wheel, or in the checkout."""
    package = Path(__file__).parent
    places = [place / "conf" for place in (Path(sys.argv[0]).absolute().parent, package)]
    found = (place for place in places if (place / "analyze.yaml").is_file())
    return next(found, package.parents[1] / "conf")


def sha256(path: Path) -> str:
    """Hash of a file's content, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
