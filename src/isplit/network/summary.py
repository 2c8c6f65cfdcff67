"""What became of many frames, in a few figures, and one line for each in a CSV file."""

import contextlib
import csv
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from isplit.files import replacing

STEPS = 1000  # of a percentile, per factor of e: 0.1 % wide
LEAST_S = 1e-9
AT_ONCE = 4096


class Fate(StrEnum):
    """How a frame ends."""

    ANSWERED = "answered"
    AT_DEVICE = "lost_at_device"
    WAY_UP = "lost_on_the_way_up"
    AT_SERVER = "lost_at_server"
    WAY_DOWN = "lost_on_the_way_down"

    __hash__ = str.__hash__  # that of Enum is Python, and every frame is counted by its fate


class Frame(NamedTuple):
    """One frame; what it did not reach is ``None``. A tuple, since millions are made.

    Times are seconds of the simulation's clock, ``energy_j`` is what
    the device spent on it above idling.
    """

    device: int
    number: int
    arrival_s: float
    ready_s: float | None
    delivered_s: float | None
    answered_s: float | None
    fate: Fate
    missing_packets: int = 0
    wire_bytes: int = 0
    energy_j: float = 0.0


@dataclass(frozen=True)
class Summary:
    """All frames of a simulation.

    Attributes:
        fates: how many frames were answered, or lost where.
        partial: answered from an incomplete payload.
        missed: answered late or never, by the deadline; ``None``: there is no deadline.
        answer_s: mean time of an answer's way back; NaN when none was answered.
        mean_s: latency, from taking a frame to its answer; NaN when none was answered.
        p50_s: median of it (percentiles are within 0.1 %).
        p95_s: exceeded by one frame in twenty.
        p99_s: exceeded by one frame in a hundred.
        duration_s: from 0 to the last thing that happened.
        device_busy: share of the time that devices compute.
        link_busy: share of the time that the way up carries bits.
        server_busy: share of the time that the server computes.
        energy_j: of all devices, idling included; ``None``: no power is known.
    """

    fates: dict[Fate, int]
    partial: int
    missed: int | None
    answer_s: float
    mean_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    duration_s: float
    device_busy: float
    link_busy: float
    server_busy: float
    energy_j: float | None


class Tally:
    """Counts frames in memory that does not grow with them, and hands them on in bundles."""

    def __init__(self, write: Callable[[Iterable[Frame]], Any], deadline_s: float | None) -> None:
        self.write, self.deadline_s = write, math.inf if deadline_s is None else deadline_s
        self.fates = Counter(dict.fromkeys(Fate, 0))
        self.partial = self.late = self.wire_bytes = 0
        self.total_s = self.last_s = self.energy_j = self.answers_s = 0.0
        self._steps: Counter[int] = Counter()
        self._frames: list[Frame] = []

    def add(self, frame: Frame) -> None:
        """Count a frame."""
        self._frames.append(frame)
        if len(self._frames) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Count the frames that were added since the last time."""
        frames, self._frames = self._frames, []
        self.write(frames)
        if not frames:
            return
        columns = zip(*frames, strict=True)
        _, _, arrival_s, _, _, answered_s, fates, missing, wire_bytes, energy_j = columns
        self.fates.update(fates)
        self.energy_j += math.fsum(energy_j)
        self.wire_bytes += sum(wire_bytes)
        ends_s = np.array(answered_s, dtype=float)  # NaN: not answered
        answered = ~np.isnan(ends_s)
        latencies_s = (ends_s - arrival_s)[answered]
        self.partial += int((np.array(missing)[answered] > 0).sum())
        self.total_s += float(latencies_s.sum())
        self.last_s = max(self.last_s, float(ends_s.max(initial=0.0, where=answered)))
        self.late += int((latencies_s > self.deadline_s).sum())
        steps = np.rint(np.log(np.maximum(latencies_s, LEAST_S)) * STEPS).astype(int)
        self._steps.update(steps.tolist())

    def percentile(self, part: float) -> float:
        """The latency that ``part`` (0..1) of the answered frames do not exceed; NaN: none."""
        wanted = math.ceil(part * self.fates[Fate.ANSWERED])
        for step in sorted(self._steps):
            wanted -= self._steps[step]
            if wanted <= 0:
                return math.exp(step / STEPS)
        return math.nan


@contextlib.contextmanager
def table(path: Path | None) -> Iterator[Callable[[Iterable[Frame]], Any]]:
    """Writes frames as CSV; the file is there when the block has ended well, else not at all."""
    if path is None:
        yield lambda frames: None
        return
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Frame._fields)
        yield writer.writerows
