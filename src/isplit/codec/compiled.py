"""Loops compiled by numba where it is installed; plain Python, and the same bytes, where not."""

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any, TypeVar, cast

import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])
COMPILED = find_spec("numba") is not None
"""Whether the loops run as machine code."""
I64: Any = np.int64
U64: Any = np.uint64
_WAITING: list[Any] = []
_LOCK = Lock()


def compiled(function: Function) -> Function:
    """The function as machine code, kept on disk from one process to the next.

    numba is imported when the first of these functions is called, not with this module: a program
    that encodes nothing does not wait for it.
    """
    if not COMPILED:
        return function
    _WAITING.append(function)

    @wraps(function)
    def called(*arguments: Any) -> Any:
        with _LOCK:
            _compile_waiting()
        return function.__globals__[function.__name__](*arguments)

    return cast("Function", called)


def _compile_waiting() -> None:
    """Put the compiled functions under their names in their modules: they call each other there.

    Without ``fastmath``: every float operation is rounded by itself, as IEEE 754 says, so that two
    machines agree to the bit. Where no folder can be written, they are compiled in every process.
    """
    while _WAITING:
        njit: Any = import_module("numba").njit
        function = _WAITING.pop()
        try:
            made = njit(cache=True, nogil=True)(function)
        except RuntimeError:
            made = njit(nogil=True)(function)
        function.__globals__[function.__name__] = made
