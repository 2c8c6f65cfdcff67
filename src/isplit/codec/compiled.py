"""Loops compiled by numba where it is installed; plain Python, and the same bytes, where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

try:
    import numba
except ImportError:
    numba = None

Function = TypeVar("Function", bound=Callable[..., Any])
COMPILED = numba is not None
"""Whether the loops run as machine code."""


def compiled(function: Function) -> Function:
    """The function as machine code, kept on disk from one process to the next.

    Without ``fastmath``: every float operation is rounded by itself, as IEEE 754 says, so that two
    machines agree to the bit. Where no folder can be written, it is compiled in every process.
    """
    if numba is None:
        return function
    try:
        made: Function = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        made = numba.njit(nogil=True)(function)
    return made


def inlined(function: Function) -> Function:
    """The function as a part of the compiled functions that call it."""
    if numba is None:
        return function
    made: Function = numba.njit(inline="always")(function)
    return made
