"""Image files and archives written for the tests."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def png(value: int = 128, size: tuple[int, int] = (20, 16), kind: str = "PNG") -> bytes:
    """An image file whose pixels differ with ``value``."""
    image = np.full((*size[::-1], 3), value % 256, np.uint8)
    image[: size[1] // 2, :, 0] = 255 - value % 256
    return encoded(image, kind)


def encoded(image: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def class_folders(prefix: str, classes: str, count: int) -> dict[str, bytes]:
    """``count`` different images in a folder for each class."""
    return {
        f"{prefix}{name}/{number}.png": png(10 * number + label)
        for label, name in enumerate(classes)
        for number in range(count)
    }


def idx(array: np.ndarray, *, zipped: bool = True) -> bytes:
    """An idx file of unsigned bytes."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape)
    content = header + array.astype(np.uint8).tobytes()
    return gzip.compress(content, mtime=0) if zipped else content


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path
