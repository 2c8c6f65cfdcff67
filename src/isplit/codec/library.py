"""Byte coders of libraries on the levels, one byte each: zlib, zstd, lz4, blosc2, pcodec.

All but zlib are in the extra ``codecs`` and are imported when they are used.
"""

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.form import Form
from isplit.codec.payload import PayloadError

LIBRARIES = {
    "zlib": ("zlib", 6, 0, 9),
    "zstd": ("zstandard", 3, -131_072, 22),
    "lz4": ("lz4.block", 1, 0, 65_537),
    "blosc2": ("blosc2", 5, 0, 9),
    "pcodec": ("pcodec", 8, 0, 12),
}
"""The module of each, and its effort: the usual one, the least and the most."""


def pack(levels: NDArray[np.uint8], form: Form) -> list[bytes]:
    """The levels (N, C, M) as the library compresses them.

    Raises:
        ModuleNotFoundError: the library is not installed.
    """
    name, package = form.library, _package(form.library)
    effort = LIBRARIES[name][1] if form.effort is None else form.effort
    return [bytes(_compressed(name, package, one.reshape(-1), effort)) for one in levels]


def unpack(body: bytes, form: Form) -> NDArray[np.uint8]:
    """The levels (C, M) of one body that :func:`pack` gave.

    Raises:
        PayloadError: the library refuses the bytes, or other levels come out than can be.
        ModuleNotFoundError: the library is not installed.
    """
    name, package = form.library, _package(form.library)
    try:
        levels = np.frombuffer(_decompressed(name, package, body, form.count), np.uint8)
    except Exception as error:  # what libraries raise on damaged bytes is not listed anywhere
        raise PayloadError(f"{name} refuses the body: {error}") from error
    if levels.size != form.count or levels.max(initial=0) >> form.bits:
        raise PayloadError(f"{name} gives other than {form.count} levels of {form.bits} bits")
    return levels.reshape(form.plane)


def _package(name: str) -> Any:
    try:
        return import_module(LIBRARIES[name][0])
    except ImportError as error:
        message = f"codec={name} needs a library: pip install isplit[codecs]"
        raise ModuleNotFoundError(message) from error


def _compressed(name: str, package: Any, levels: NDArray[np.uint8], effort: int) -> Any:
    match name:
        case "zlib":
            return package.compress(levels, effort)
        case "zstd":
            return package.ZstdCompressor(effort).compress(levels)
        case "lz4":
            return package.compress(levels, acceleration=effort, mode="fast", store_size=False)
        case "blosc2":
            how = {"codec": package.Codec.ZSTD, "filters": [package.Filter.BITSHUFFLE]}
            return package.compress2(levels, typesize=1, clevel=effort, nthreads=1, **how)
    config = package.ChunkConfig(compression_level=effort, enable_8_bit=True)
    return package.standalone.simple_compress(levels, config)


def _decompressed(name: str, package: Any, body: bytes, size: int) -> Any:
    """What should be so many bytes; no more than one above is ever made."""
    match name:
        case "zlib":
            return package.decompressobj().decompress(body, size + 1)
        case "zstd":
            fits = package.frame_content_size(body) == size
            return package.ZstdDecompressor().decompress(body, size) if fits else b""
        case "lz4":
            return package.decompress(body, uncompressed_size=size)
        case "blosc2":
            sizes = int.from_bytes(body[4:8], "little"), int.from_bytes(body[12:16], "little")
            return package.decompress2(body, nthreads=1) if sizes == (size, len(body)) else b""
    levels = np.zeros(size, np.uint8)
    progress = package.standalone.simple_decompress_into(body, levels)
    return levels if progress.finished else levels[: progress.n_processed]
