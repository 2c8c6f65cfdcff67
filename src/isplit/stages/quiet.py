"""Without the warnings of Lightning's that are about what is meant."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

EXPECTED = (
    r".*exists and is not empty",  # the folder of an interrupted stage
    r".*in eval mode at the start of training",  # what is frozen
    r".*does not have many workers",  # small images need none
    r".*treespec, LeafSpec.*is deprecated",  # between Lightning and torch
    r".*srun. command is available",
    r".*sync_dist=True.* on epoch level",  # all processes validate on the same images
)


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, resuming, frozen modules, a lack of workers and of ``srun`` are no news."""
    with warnings.catch_warnings():
        for meant in EXPECTED:
            warnings.filterwarnings("ignore", message=meant)
        yield
