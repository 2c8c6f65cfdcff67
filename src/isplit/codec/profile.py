"""What device and server agree on before the first payload: ranges, levels and probabilities.

A file of JSON: settings in words, arrays as base64 of zlib of little-endian numbers.
"""

import base64
import hashlib
import json
import math
import os
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.grid import Grid
from isplit.codec.payload import LIMIT_BYTES
from isplit.codec.prediction import Prediction
from isplit.codec.tables import Tables

FORMAT = "isplit codec profile 1"
_PARTS = {"grid": Grid, "tables": Tables, "prediction": Prediction}
_ARRAYS = {  # and the type of each
    "low": "float32",
    "scale": "float32",
    "values": "float32",
    "index": "uint8",
    "parts": "uint16",
    "context": "uint8",
    "sources": "uint16",
    "weights": "int16",
    "offsets": "int32",
}


@dataclass(frozen=True)
class Profile:
    """A codec calibrated on the features of one split point.

    Attributes:
        config: of the codec, as :meth:`Codec.get_config` gives it.
        shape: of a sample; payloads made with the profile have this shape.
        grid: where the levels lie; None for codecs without levels.
        tables: probabilities; None for codecs that use none.
        prediction: what their contexts are made of; None: neighbours.
    """

    config: Mapping[str, Any]
    shape: tuple[int, ...]
    grid: Grid | None = None
    tables: Tables | None = None
    prediction: Prediction | None = None

    def __post_init__(self) -> None:
        allowed = {1, self.shape[0] if self.shape else 1}
        arrays = [*vars(self.grid).values()] if self.grid else []
        rows = {len(array) for array in arrays if array is not None}
        mixed = len(rows) > 1
        rows |= {len(self.tables.parts)} if self.tables else set()
        if mixed or not rows <= allowed:
            raise ValueError(f"rows for {max(rows)} channels in a profile of shape {self.shape}")
        if self.grid or self.tables:
            self._refuse_other_levels(1 << self.config["bits"])
        if self.prediction and (
            self.tables is None
            or len(self.prediction.sources) != max(allowed)
            or self.prediction.contexts != self.tables.parts.shape[1]
        ):
            raise ValueError("a prediction of other channels or contexts than the tables have")

    def _refuse_other_levels(self, levels: int) -> None:
        grid, tables = self.grid, self.tables
        counts = [grid.values.shape[1]] if grid else []
        counts += [1 << tables.bits] if tables else []
        beyond = grid is not None and grid.index is not None and grid.index.max(initial=0) >= levels
        if beyond or {*counts} != {levels}:
            raise ValueError(f"{counts} levels in a profile of {levels}")

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the file; its first three bytes travel with every payload."""
        return hashlib.sha256(self.to_json().encode()).digest()

    def to_json(self) -> str:
        """The file's text, the same for the same profile."""
        return self._text

    @cached_property
    def _text(self) -> str:
        content = {"format": FORMAT, **asdict(self)}
        if self.prediction is None:  # as files were before there was any
            del content["prediction"]
        return json.dumps(content, default=_written, sort_keys=True, indent=1) + "\n"

    def save(self, path: Path | str) -> None:
        """Write the file, whole or not at all."""
        temporary = Path(path).with_suffix(f".{os.getpid()}.part")
        temporary.write_text(self.to_json(), encoding="utf-8")
        temporary.replace(path)


def load_profile(path: Path | str) -> Profile:
    """The profile that :meth:`Profile.save` wrote.

    Raises:
        ValueError: the file is no profile of this version.
    """
    text = Path(path).read_bytes()
    try:
        content = json.loads(text, object_hook=_read)
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        parts = {name: _part(name, content.get(name)) for name in _PARTS}
        profile = Profile(content["config"], tuple(map(index, content["shape"])), **parts)
        vars(profile)["_text"] = text.decode()  # another zlib would write it, and its digest, anew
        return profile
    except Exception as error:  # whatever a file of anybody's leads to
        raise ValueError(f"{path} is not an {FORMAT}: {error}") from error


def _part(name: str, values: Any) -> Any:
    """A part of a profile; its arrays are of the types that loops take, which check nothing."""
    for key in _ARRAYS.keys() & (values or {}):
        array = values[key]
        if array is not None and (array.dtype != _ARRAYS[key] or not np.isfinite(array).all()):
            raise ValueError(f"{key} is not finite, or {array.dtype} and not {_ARRAYS[key]}")
    return None if values is None else _PARTS[name](**values)


def _written(array: NDArray[Any]) -> dict[str, Any]:
    little = array.astype(array.dtype.newbyteorder("<"))
    packed = base64.b64encode(zlib.compress(little.tobytes(), 9)).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": packed}


def _read(value: dict[str, Any]) -> Any:
    """The array that :func:`_written` wrote; other mappings as they are."""
    if value.keys() != {"dtype", "shape", "data"}:
        return value
    of = np.dtype(value["dtype"]).newbyteorder("<")
    size = math.prod(value["shape"]) * of.itemsize
    if size > LIMIT_BYTES:
        raise ValueError(f"an array of shape {value['shape']} is above {LIMIT_BYTES} bytes")
    content = zlib.decompressobj().decompress(base64.b64decode(value["data"]), size + 1)
    little = np.frombuffer(content, of)
    return little.astype(value["dtype"]).reshape(value["shape"])
