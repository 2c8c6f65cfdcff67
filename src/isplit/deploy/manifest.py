"""What an export is: its files, and what a device and a server must know to run them.

Needs onnxruntime only to run a net.

The distribution of the device carries this module, and no more of isplit than it imports.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isplit.codec import Codec, PayloadError, bound_codec, from_config, load_profile
from isplit.files import sha256

if TYPE_CHECKING:
    import onnxruntime

HEAD, TAIL, NET = "head.onnx", "tail.onnx", "net.onnx"
PROFILE, MANIFEST = "codec_profile.json", "manifest.json"
KINDS: dict[str, type] = {  # of what is said in a manifest
    "name": str,
    "class_names": list,
    "codec": dict,
    "checked": dict,
    "files": dict,
    "image_size": int,
    "fit": str,
    "background": str,
}
TIMING = "server-timing"  # of an answer's metadata, as HTTP has it: "total;dur=MILLISECONDS"


@dataclass(frozen=True)
class Export:
    """What the manifest says.

    Attributes:
        name: of the model to those who ask the server.
        preprocessing: ``image_size`` that the head resizes to, ``fit`` of other shapes,
            ``background`` below transparent pixels; ``mean`` (0..1) that the head subtracts from
            each channel and ``std`` that it divides by.
        code_shape: of one sample between head and tail.
        codec: settings; ``profile``: the digest of its calibrated profile, ``None`` where payloads
            are self-contained.
        checked: how the files compare with torch on test images.
        files: SHA-256 of each.
    """

    name: str
    class_names: tuple[str, ...]
    preprocessing: Mapping[str, Any]
    code_shape: tuple[int, ...]
    codec: Mapping[str, Any]
    profile: str | None
    checked: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    schema: int = 1

    @property
    def digest(self) -> str:
        """SHA-256 of what device and server must share: the tail's file and the profile."""
        return hashlib.sha256(f"{self.files.get(TAIL)} {self.profile}".encode()).hexdigest()

    @property
    def known_by(self) -> dict[str, str]:
        """What a request may say of the export that it is for, by the name of the parameter."""
        return {"profile": self.profile or "", "export": self.digest}

    @property
    def code_bytes(self) -> int:
        """Of one sample's code as float32."""
        return 4 * math.prod(self.code_shape)

    @property
    def largest_bytes(self) -> int:
        """Of a payload: all as float32, ranges and a table."""
        return self.code_bytes + 8 * self.code_shape[0] + 2048

    def check_classes(self, logits: Any) -> None:
        """Refuse another number of logits than there are classes."""
        if len(logits) != len(self.class_names):
            raise ValueError(f"{len(logits)} logits, but {len(self.class_names)} names of classes")


def read_export(folder: Path | str, needed: Iterable[str]) -> Export:
    """What lies in the folder, once the ``needed`` files are found to be those it was written with.

    Raises:
        ValueError: there is no export, it is of another version, or a file is another.
    """
    folder = Path(folder)
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
        export = Export(**content | {"code_shape": tuple(map(index, content["code_shape"]))})
        said = {**content, **export.preprocessing}
        if wrong := [key for key, kind in KINDS.items() if not isinstance(said[key], kind)]:
            raise ValueError(f"{wrong[0]} is {said[wrong[0]]!r:.99}")
        if export.schema != Export.schema:
            raise ValueError(f"its schema is {export.schema!r}, not {Export.schema}")
        for name in (*needed, *([PROFILE] if export.profile else [])):
            if sha256(folder / name) != export.files[name]:
                raise ValueError(f"{name} is not the file that it was written with")
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{folder} is no export of isplit: {error}") from error
    return export


def exports_in(folder: Path | str) -> list[Path]:
    """The folder itself, or those in it that hold an export: a set of designs."""
    inside = sorted(path.parent for path in Path(folder).glob(f"*/{MANIFEST}"))
    return [Path(folder)] if (Path(folder) / MANIFEST).is_file() or not inside else inside


def codec_of(export: Export, folder: Path | str) -> Codec:
    """The codec that device and server share."""
    if export.profile is None:
        return from_config(export.codec)
    return bound_codec(load_profile(Path(folder) / PROFILE))


def decoded(codec: Codec, export: Export, payload: bytes) -> Any:
    """Float32 (1, code_shape) of a payload that anybody may have sent.

    Raises:
        PayloadError: it is no payload of this export.
    """
    if len(payload) > export.largest_bytes:
        raise PayloadError(f"a payload has more than {export.largest_bytes} bytes")
    levels_bytes = 32 * export.code_shape[0] << 8  # what those of a self-contained payload become
    code = codec.decode([payload], max(export.code_bytes, levels_bytes))
    if code.shape[1:] != export.code_shape:
        raise PayloadError(f"a code of shape {code.shape[1:]}, not {export.code_shape}")
    return code


def session(path: Path, threads: int = 1) -> "onnxruntime.InferenceSession":
    """A net of the export on this machine's CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(net: "onnxruntime.InferenceSession", x: Any) -> Any:
    """What a net makes of its one input."""
    return net.run(None, {net.get_inputs()[0].name: x})[0]
