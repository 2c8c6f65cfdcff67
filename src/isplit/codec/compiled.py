"""Loops compiled by numba where it is installed; plain Python, and the same bytes, where not."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])
COMPILED = find_spec("numba") is not None
"""Whether the loops run as machine code."""
I64: Any = np.int64
U64: Any = np.uint64


def compiled(function: Function) -> Function:
    """The function as machine code, kept on disk from one process to the next.

    Without ``fastmath``: every float operation is rounded by itself, as IEEE 754 says, so that two
    machines agree to the bit. Where no folder can be written, it is compiled in every process.
    """
    if not COMPILED:
        return function
    njit: Any = import_module("numba").njit
    try:
        made: Function = njit(cache=True, nogil=True)(function)
    except RuntimeError:
        made = njit(nogil=True)(function)
    return made
