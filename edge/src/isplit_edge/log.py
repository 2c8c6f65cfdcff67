"""A line for each frame, in the columns of isplit's simulator."""

import time
from pathlib import Path

COLUMNS = "device,number,arrival_s,ready_s,delivered_s,answered_s,fate"
COLUMNS += ",missing_packets,wire_bytes,energy_j"


ANSWERED, WAY_UP, AT_SERVER = "answered", "lost_on_the_way_up", "lost_at_server"


class LatencyLog:
    """Times are seconds since it was opened; what a device cannot know stays empty."""

    def __init__(self, path: Path | str | None) -> None:
        self._path, self._start_s, self._number = path and Path(path), time.monotonic(), 0
        if self._path:
            self._path.write_text(f"{COLUMNS}\n", encoding="utf-8")

    def add(
        self, arrival_s: float, *later_s: float, fate: str = ANSWERED, wire_bytes: int = 0
    ) -> None:
        """Write one frame: when it came, was encoded and answered, by the monotonic clock."""
        if self._path:
            times = [f"{t - self._start_s:.6f}" for t in (arrival_s, *later_s)] + ["", ""]
            row = (0, self._number, *times[:2], "", times[2], fate, 0, wire_bytes, 0.0)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(",".join(map(str, row)) + "\n")
            self._number += 1
