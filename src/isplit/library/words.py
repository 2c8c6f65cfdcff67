"""The messages of the method in the library's words: parameters in place of config keys."""

import re
from collections.abc import Iterator
from contextlib import contextmanager


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
        said = re.sub(r"\b(split|bottleneck|stage)\.(?=\w+[.=:])", "", str(error))
        said = said.replace("compression_rate=", "rate=").replace("kind=", "predictor=")
        raise ValueError(said) from error
