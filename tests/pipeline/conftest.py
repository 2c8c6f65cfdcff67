"""Whether the figures of these tests are drawn."""

import contextlib

import pytest
from pipeline.jobs import undrawn


@pytest.fixture(scope="module", autouse=True)
def drawn(request):
    """Only where the module says ``DRAWN = True``."""
    with contextlib.nullcontext() if getattr(request.module, "DRAWN", False) else undrawn():
        yield
