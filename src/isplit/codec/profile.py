"""What device and server agree on before the first payload: ranges, levels and probabilities.

A file of JSON: settings in words, arrays as base64 of zlib of little-endian numbers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.grid import Grid
from isplit.codec.tables import Tables

FORMAT = "isplit codec profile 1"
ID_BYTES = 3


@dataclass(frozen=True)
class Profile:
    """A codec calibrated on the features of one split point.

    Attributes:
        config: of the codec, as :meth:`Codec.get_config` gives it.
        shape: of a sample; payloads made with the profile have this shape.
        grid: where the levels lie; None for codecs without levels.
        tables: probabilities; None for codecs that use none.
    """

    config: Mapping[str, Any]
    shape: tuple[int, ...]
    grid: Grid | None = None
    tables: Tables | None = None

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the file; its first three bytes travel with every payload."""
        return hashlib.sha256(self.to_json().encode()).digest()

    def to_json(self) -> str:
        """The file's text, the same for the same profile."""
        content = {
            "format": FORMAT,
            "config": dict(self.config),
            "shape": list(self.shape),
            "grid": None if self.grid is None else _written(vars(self.grid)),
            "tables": None if self.tables is None else _written(_fields(self.tables)),
        }
        return json.dumps(content, sort_keys=True, indent=1) + "\n"

    def save(self, path: Path | str) -> None:
        """Write the file, whole or not at all."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_text(self.to_json(), encoding="utf-8")
        temporary.replace(path)


def load_profile(path: Path | str) -> Profile:
    """The profile that :meth:`Profile.save` wrote.

    Raises:
        ValueError: the file is no profile of this version.
    """
    text = Path(path).read_text(encoding="utf-8")
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        grid, tables = content["grid"], content["tables"]
        return Profile(
            content["config"],
            tuple(content["shape"]),
            None if grid is None else Grid(**_read(grid)),
            None if tables is None else Tables(**_read(tables)),
        )
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise ValueError(f"{path} is not an {FORMAT}: {error}") from error


def _fields(tables: Tables) -> dict[str, Any]:
    return {name: getattr(tables, name) for name in ("parts", "context", "bits", "group")}


def _written(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _array_to_text(value) if isinstance(value, np.ndarray) else value
        for name, value in fields.items()
    }


def _array_to_text(array: NDArray[Any]) -> dict[str, Any]:
    little = array.astype(array.dtype.newbyteorder("<"))
    packed = base64.b64encode(zlib.compress(little.tobytes(), 9)).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": packed}


def _read(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _array_of_text(value) if isinstance(value, dict) else value
        for name, value in fields.items()
    }


def _array_of_text(value: Mapping[str, Any]) -> NDArray[Any]:
    dtype = np.dtype(value["dtype"]).newbyteorder("<")
    size = math.prod(value["shape"]) * dtype.itemsize
    content = zlib.decompressobj().decompress(base64.b64decode(value["data"]), size + 1)
    array = np.frombuffer(content, dtype).reshape(value["shape"])
    return array.astype(value["dtype"])
