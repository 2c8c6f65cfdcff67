"""How much time and memory something hostile may take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 10.0
BYTES = 10**9


@contextmanager
def bounded(seconds: float = SECONDS, size: int = BYTES) -> Iterator[None]:
    """Fail where the block takes more seconds of the processor, or more memory at its peak."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    measured = reset.exists()  # Linux
    if measured:
        reset.write_text("5")  # the peak begins anew
    before, start = _resident(status, "VmRSS") if measured else 0, time.process_time()
    yield
    assert time.process_time() - start < seconds
    assert not measured or _resident(status, "VmHWM") - before < size


def _resident(status: Path, name: str) -> int:
    line = next(one for one in status.read_text().splitlines() if one.startswith(name))
    return 1024 * int(line.split()[1])
