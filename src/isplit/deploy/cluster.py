"""An export as what a cluster runs: a container for KServe, a model repository for Triton.

What is written holds all that it needs of isplit; no torch is in it. The texts are those of the
folder ``templates``, with the figures of the export filled in.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

import isplit
from isplit.deploy.manifest import MANIFEST, PROFILE, TAIL, Export, read_export
from isplit.files import write_text


def write_kserve(folder: Path, out: Path) -> None:
    """A folder for ``docker build`` and an InferenceService for ``kubectl apply``.

    Args:
        folder: of an export.
        out: made where it is missing.

    Raises:
        ValueError: ``folder`` holds no export.
    """
    export = read_export(folder, [TAIL])
    service = "isplit-" + re.sub(r"[^a-z0-9]+", "-", export.name.lower())[:40].strip("-")
    _fill("kserve", out, export, service=service, image=f"{service}:1")
    _copy([MANIFEST, TAIL], folder, out / "export", export)
    _copy_source(out)


def write_triton(folder: Path, out: Path) -> None:
    """A model repository: an ensemble of decoding, in Python, and the tail.

    Args:
        folder: of an export.
        out: made where it is missing.

    Raises:
        ValueError: ``folder`` holds no export.
    """
    export = read_export(folder, [TAIL])
    code, classes = ", ".join(map(str, export.code_shape)), len(export.class_names)
    _fill("triton", out, export, code=code, classes=classes)
    (out / export.name / "1").mkdir(exist_ok=True)  # a version needs a folder, even an empty one
    decode = out / f"{export.name}-decode" / "1"
    _copy([MANIFEST], folder, decode, export)
    _copy_source(decode)
    shutil.copyfile(Path(__file__).with_name("triton_model.py"), decode / "model.py")
    _copy([TAIL], folder, out / f"{export.name}-tail" / "1", export)


def _fill(kind: str, out: Path, export: Export, **figures: Any) -> None:
    """Write the templates of a kind; ``NAME`` in a path is the export's."""
    texts = Path(__file__).parent / "templates" / kind
    for path in sorted(path for path in texts.rglob("*") if path.is_file()):
        place = out / path.relative_to(texts).as_posix().replace("NAME", export.name)
        text = Template(path.read_text(encoding="utf-8"))
        write_text(place, text.substitute(figures, name=export.name))


def _copy(names: Sequence[str], folder: Path, out: Path, export: Export) -> None:
    """Files of an export, and what its payloads are read by where they go with the manifest."""
    out.mkdir(parents=True, exist_ok=True)
    profile = [PROFILE] if export.profile and MANIFEST in names else []
    for name in (*names, *profile):
        shutil.copyfile(folder / name, out / name)


def _copy_source(out: Path) -> None:
    """The codec and this room, which need no other part of isplit to serve."""
    source = Path(isplit.__file__).parent
    for room in ("codec", "deploy"):
        ignored = shutil.ignore_patterns("__pycache__", "templates")
        shutil.copytree(source / room, out / "isplit" / room, dirs_exist_ok=True, ignore=ignored)
    for module in ("__init__.py", "files.py"):
        shutil.copyfile(source / module, out / "isplit" / module)
