"""What became of many frames, in a few figures, and one line for each in a CSV file."""

from __future__ import annotations

import csv
import math
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

import numpy as np

STEPS = 1000  # of a percentile, per factor of e: 0.1 % wide
LEAST_S = 1e-9
AT_ONCE = 4096
FATES = ANSWERED, LOST_AT_DEVICE, LOST_UP, LOST_AT_SERVER, LOST_DOWN = (
    "answered",
    "lost_at_device",
    "lost_on_the_way_up",
    "lost_at_server",
    "lost_on_the_way_down",
)


class Frame(NamedTuple):
    """One frame; what it did not reach is ``None``. A tuple, since millions are made.

    ``fate`` is one of ``FATES``; times are seconds of the simulation's clock,
    ``energy_j`` is what the device spent on it above idling.
    """

    device: int
    number: int
    arrival_s: float
    ready_s: float | None
    delivered_s: float | None
    answered_s: float | None
    fate: str
    missing_packets: int
    wire_bytes: int
    energy_j: float


@dataclass(frozen=True)
class Summary:
    """All frames of a simulation.

    Attributes:
        frames: taken.
        answered: of them, answered at all.
        lost: the others, by where.
        partial: answered from an incomplete payload.
        missed: answered late or never, by the deadline; ``None``: there is no deadline.
        mean_s: latency from taking a frame to its answer.
        p50_s: median of it (percentiles are within 0.1 %).
        p95_s: exceeded by one frame in twenty.
        p99_s: exceeded by one frame in a hundred.
        duration_s: from 0 to the last thing that happened.
        device_busy: share of the time that devices compute.
        link_busy: share of the time that the way up carries bits.
        server_busy: share of the time that the server computes.
        energy_j: of all devices, idling included; ``None``: no power is known.
    """

    frames: int
    answered: int
    lost: dict[str, int]
    partial: int
    missed: int | None
    mean_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    duration_s: float
    device_busy: float
    link_busy: float
    server_busy: float
    energy_j: float | None


class Tally(AbstractContextManager["Tally"]):
    """Counts frames, in memory that does not grow with them, and writes them where asked."""

    def __init__(self, path: Path | None, deadline_s: float | None) -> None:
        self.path, self.deadline_s = path, deadline_s
        self.fates: Counter[str] = Counter()
        self.partial = self.late = 0
        self.total_s = self.last_s = self.energy_j = 0.0
        self.wire_bytes = 0
        self._steps: Counter[int] = Counter()
        self._frames: list[Frame] = []
        self._file: IO[str] | None = None

    def __enter__(self) -> Tally:
        self._write: Any = None
        if self.path:
            self._part = self.path.with_name(f".{self.path.name}.part")
            self._file = self._part.open("w", encoding="utf-8", newline="")
            self._write = csv.writer(self._file, lineterminator="\n").writerows
            self._write([Frame._fields])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.flush()
        if self._file and self.path:
            self._file.close()
            if kind is None:
                self._part.replace(self.path)
            else:
                self._part.unlink()

    def add(self, frame: Frame) -> None:
        """Count a frame."""
        self._frames.append(frame)
        if len(self._frames) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Count the frames that were added since the last time."""
        frames, self._frames = self._frames, []
        if self._write:
            self._write(frames)
        self.fates.update(frame.fate for frame in frames)
        self.energy_j += math.fsum(frame.energy_j for frame in frames)
        self.wire_bytes += sum(frame.wire_bytes for frame in frames)
        answered = [frame for frame in frames if frame.answered_s is not None]
        self.partial += sum(frame.missing_packets > 0 for frame in answered)
        ends_s = np.array([frame.answered_s for frame in answered])
        latencies_s = ends_s - [frame.arrival_s for frame in answered]
        self.total_s += float(latencies_s.sum())
        self.last_s = max(self.last_s, ends_s.max(initial=0.0))
        if self.deadline_s is not None:
            self.late += int((latencies_s > self.deadline_s).sum())
        steps = np.rint(np.log(np.maximum(latencies_s, LEAST_S)) * STEPS).astype(int)
        self._steps.update(steps.tolist())

    def percentile(self, part: float) -> float:
        """The latency that ``part`` (0..1) of the answered frames do not exceed; NaN: none."""
        wanted = math.ceil(part * self.fates[ANSWERED])
        for step in sorted(self._steps):
            wanted -= self._steps[step]
            if wanted <= 0:
                return math.exp(step / STEPS)
        return math.nan
