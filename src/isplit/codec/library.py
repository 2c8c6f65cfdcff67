"""Byte coders of libraries on the levels, one byte each: zlib, zstd, lz4, blosc2, pcodec.

All but zlib are in the extra ``codecs`` and are imported when they are used.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.form import Form
from isplit.codec.payload import PayloadError

Bytes = bytes | NDArray[np.uint8]


def pack(levels: NDArray[np.uint8], form: Form) -> list[bytes]:
    """The levels (N, C, M) as the library compresses them.

    Raises:
        ModuleNotFoundError: the library is not installed.
    """
    _, usual, compress, _ = _LIBRARIES[form.library]
    effort, package = usual if form.effort is None else form.effort, _package(form.library)
    return [bytes(compress(package, sample.reshape(-1), effort)) for sample in levels]


def unpack(body: bytes, form: Form) -> NDArray[np.uint8]:
    """The levels (C, M) of one body that :func:`pack` gave.

    Raises:
        PayloadError: the library refuses the bytes, or other levels come out than can be.
        ModuleNotFoundError: the library is not installed.
    """
    name, package = form.library, _package(form.library)
    try:
        levels = np.frombuffer(_LIBRARIES[name][3](package, body, form.count), np.uint8)
    except Exception as error:  # what libraries raise on damaged bytes is not listed anywhere
        raise PayloadError(f"{name} refuses the body: {error}") from error
    if levels.size != form.count or levels.max(initial=0) >> form.bits:
        raise PayloadError(f"{name} gives other than {form.count} levels of {form.bits} bits")
    return levels.reshape(form.plane)


def _package(name: str) -> Any:
    try:
        return import_module(_LIBRARIES[name][0])
    except ImportError as error:
        message = f"codec={name} needs a library: pip install isplit[codecs]"
        raise ModuleNotFoundError(message) from error


def _blosc2(package: Any, levels: Bytes, effort: int) -> Bytes:
    filters, codec = [package.Filter.BITSHUFFLE], package.Codec.ZSTD
    settings = {"codec": codec, "clevel": effort, "filters": filters, "nthreads": 1}
    packed: bytes = package.compress2(levels, typesize=1, **settings)
    return packed


def _unblosc2(package: Any, body: bytes, size: int) -> Bytes:
    sizes = int.from_bytes(body[4:8], "little"), int.from_bytes(body[12:16], "little")
    return package.decompress2(body, nthreads=1) if sizes == (size, len(body)) else b""


def _unpcodec(package: Any, body: bytes, size: int) -> Bytes:
    levels = np.zeros(size, np.uint8)
    progress = package.standalone.simple_decompress_into(body, levels)
    return levels if progress.finished else levels[: progress.n_processed]


_Library = tuple[str, int, Callable[[Any, Bytes, int], Bytes], Callable[[Any, bytes, int], Bytes]]
_LIBRARIES: dict[str, _Library] = {
    "zlib": (
        "zlib",
        6,
        lambda package, levels, effort: package.compress(levels, effort),
        lambda package, body, size: package.decompressobj().decompress(body, size + 1),
    ),
    "zstd": (
        "zstandard",
        3,
        lambda package, levels, effort: package.ZstdCompressor(effort).compress(levels),
        lambda package, body, size: (
            package.ZstdDecompressor().decompress(body, size)
            if package.frame_content_size(body) == size
            else b""
        ),
    ),
    "lz4": (
        "lz4.block",
        1,
        lambda package, levels, effort: package.compress(
            levels, acceleration=effort, mode="fast", store_size=False
        ),
        lambda package, body, size: package.decompress(body, uncompressed_size=size),
    ),
    "blosc2": ("blosc2", 5, _blosc2, _unblosc2),
    "pcodec": (
        "pcodec",
        8,
        lambda package, levels, effort: package.standalone.simple_compress(
            levels, package.ChunkConfig(compression_level=effort, enable_8_bit=True)
        ),
        _unpcodec,
    ),
}
"""Module, usual effort, compressing, and decompressing what should be so many bytes."""
LIBRARIES = tuple(_LIBRARIES)
