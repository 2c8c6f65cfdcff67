"""Byte coders of libraries on the levels, one byte each: zlib, zstd, lz4, blosc2, pcodec.

A table of what each calls compressing and decompressing. All but zlib are in the extra ``codecs``
and are imported when they are used. A decompressor gets the number of bytes that must come out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec.form import Form
from isplit.codec.payload import PayloadError

_PACKAGES = {"zstd": "zstandard", "lz4": "lz4.block", "blosc2": "blosc2", "pcodec": "pcodec"}
EFFORTS = {"zlib": 6, "zstd": 3, "lz4": 0, "blosc2": 5, "pcodec": 8}
"""What each library takes as its level where ``codec.effort`` says nothing."""


def pack(levels: NDArray[np.uint8], name: str, effort: int | None) -> bytes:
    """The levels as the library compresses them.

    Raises:
        ModuleNotFoundError: the library is not installed.
    """
    compress, _ = _LIBRARIES[name]
    return bytes(compress(levels.reshape(-1), EFFORTS[name] if effort is None else effort))


def unpack(body: bytes, form: Form, name: str) -> NDArray[np.uint8]:
    """The levels (C, M) that :func:`pack` was given.

    Raises:
        PayloadError: the library refuses the bytes, or other levels come out than can be.
    """
    _, decompress = _LIBRARIES[name]
    try:
        levels = np.frombuffer(decompress(body, form.count), np.uint8)
    except ImportError:
        raise
    except Exception as error:  # what libraries raise on damaged bytes is not listed anywhere
        raise PayloadError(f"{name} refuses the body: {error}") from error
    if levels.size != form.count or levels.max(initial=0) >> form.bits:
        raise PayloadError(f"{name} gives other than {form.count} levels of {form.bits} bits")
    return levels.reshape(form.plane)


def _package(name: str) -> Any:
    try:
        return import_module(_PACKAGES[name])
    except ImportError as error:
        raise ModuleNotFoundError(
            f"codec={name} needs a library: pip install isplit[codecs]"
        ) from error


def _inflate(body: bytes, size: int) -> bytes:
    running = zlib.decompressobj()
    levels = running.decompress(body, size + 1)
    if not running.eof or running.unused_data:
        raise ValueError("the stream does not end where the body does")
    return levels


def _zstd(levels: NDArray[np.uint8], effort: int) -> bytes:
    compressed: bytes = _package("zstd").ZstdCompressor(effort).compress(levels)
    return compressed


def _unzstd(body: bytes, size: int) -> bytes:
    zstd = _package("zstd")
    if zstd.frame_content_size(body) != size:
        raise ValueError(f"the frame does not hold {size} bytes")
    levels: bytes = zstd.ZstdDecompressor().decompress(body, size, allow_extra_data=False)
    return levels


def _lz4(levels: NDArray[np.uint8], effort: int) -> bytes:
    mode = {"mode": "high_compression", "compression": effort} if effort else {}
    compressed: bytes = _package("lz4").compress(levels, store_size=False, **mode)
    return compressed


def _unlz4(body: bytes, size: int) -> bytes:
    levels: bytes = _package("lz4").decompress(body, uncompressed_size=size)
    return levels


def _blosc2(levels: NDArray[np.uint8], effort: int) -> bytes:
    blosc2 = _package("blosc2")
    filters = [blosc2.Filter.BITSHUFFLE]
    settings = {"codec": blosc2.Codec.ZSTD, "clevel": effort, "filters": filters}
    compressed: bytes = blosc2.compress2(levels, typesize=1, nthreads=1, **settings)
    return compressed


def _unblosc2(body: bytes, size: int) -> bytes:
    sizes = np.frombuffer(body[4:16], "<u4")
    if sizes[0] != size or sizes[2] != len(body):
        raise ValueError(f"the chunk does not hold {size} bytes")
    levels: bytes = _package("blosc2").decompress2(body, nthreads=1)
    return levels


def _pcodec(levels: NDArray[np.uint8], effort: int) -> bytes:
    pcodec = _package("pcodec")
    settings = pcodec.ChunkConfig(compression_level=effort, enable_8_bit=True)
    compressed: bytes = pcodec.standalone.simple_compress(levels, settings)
    return compressed


def _unpcodec(body: bytes, size: int) -> NDArray[np.uint8]:
    levels = np.zeros(size, np.uint8)
    progress = _package("pcodec").standalone.simple_decompress_into(body, levels)
    if progress.n_processed != size or not progress.finished:
        raise ValueError(f"{progress.n_processed} levels")
    return levels


_LIBRARIES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "zlib": (zlib.compress, _inflate),
    "zstd": (_zstd, _unzstd),
    "lz4": (_lz4, _unlz4),
    "blosc2": (_blosc2, _unblosc2),
    "pcodec": (_pcodec, _unpcodec),
}
