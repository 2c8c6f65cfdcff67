"""The messages of the method in the library's words: parameters in place of config keys."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

KEY = re.compile(r"\b(?:split|bottleneck|stage)\.(\w+)")
PARAMETERS = {"kind": "predictor", "compression_rate": "rate"}


@contextmanager
def in_parameters() -> Iterator[None]:
    """Inside, a ValueError names the parameters that a caller of the library typed.

    >>> with in_parameters():
    ...     raise ValueError("split.kind='cu' is not one of cui, probe")
    Traceback (most recent call last):
    ...
    ValueError: predictor='cu' is not one of cui, probe
    """
    try:
        yield
    except ValueError as error:
        said = KEY.sub(lambda key: PARAMETERS.get(key[1], key[1]), str(error))
        raise ValueError(said) from error
