"""A device that has several designs, and takes for each frame the one that fits link and load."""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isplit.deploy.manifest import Export, exports_in, read_export
from isplit.requirements import Requirement
from isplit_edge.choice import Choice
from isplit_edge.device import Answer, Device
from isplit_edge.expected import FIRST, Way
from isplit_edge.server import Half, RefusedError

LOCAL = "device"  # the whole net here, as one of the designs
LOG = logging.getLogger("isplit_edge")


class AdaptiveDevice(Device):
    """Answers each frame by the design that :func:`isplit.matching.match` takes at the time.

    As :class:`Device`, but ``export`` may be a folder of several exports. Each takes the first
    frames, then :class:`isplit_edge.choice.Choice` decides; the whole net here is one of them where
    there is a fallback. Designs that are damaged or that the server refuses are left out, with a
    line of the logger ``isplit_edge``.

    Args:
        min_accuracy: of a design, 0..1: the fastest that has it and keeps the deadline is taken;
            ``None``: the most accurate that keeps the deadline.
        how: as of :class:`Device`. Beside ``log`` a file that ends in ``.choices.jsonl`` has a line
            for each frame: the design, why it was taken, how link and device are seen, and what
            each design is expected to take.
    """

    def __init__(
        self, export: Path | str, server: Any, *, min_accuracy: float | None = None, **how: Any
    ) -> None:
        super().__init__(export, server, **how)
        asked = Requirement(accuracy=min_accuracy, p95_ms=1000 * self._deadline_s)
        exports = [half.server.export for half in self._halves]
        ways = [Way(export.name, export.checked["accuracy"]) for export in exports]
        local = Way(LOCAL, self.export.checked.get("accuracy_whole"), local=True)
        self._choice = Choice([*ways, *([local] if self._net else [])], asked)
        for _ in range(FIRST if self._net else 0):
            self._choice.saw(LOCAL, self._local_s, 0, 0.0, 0.0)
        log = how.get("log")
        self._path = Path(log).with_suffix(".choices.jsonl") if log else Path(os.devnull)
        self._path.write_text("", encoding="utf-8")

    def answer(self, pixels: Any) -> Answer:
        """As of :class:`Device`; a design that is refused is left out, and the frame begins again.

        Raises:
            RefusedError: the last design was refused, and there is no fallback.
        """
        try:
            return super().answer(pixels)
        except RefusedError as error:
            LOG.warning("left out: %s: %s", self._choice.taken, error)
            del self._choice.ways[self._choice.taken]
            if not self._choice.ways:
                raise
        return self.answer(pixels)

    def _designs(self, folder: Path, needed: Sequence[str]) -> dict[Path, Export]:
        """Those that are whole, the smallest payload first."""
        found: dict[Path, Export] = {}
        for place in exports_in(folder):
            try:
                export = read_export(place, needed)
                if any(one.class_names != export.class_names for one in found.values()):
                    raise ValueError(f"{place} has other classes than {next(iter(found))}")
                found[place] = export
            except ValueError as error:
                LOG.warning("left out: %s", error)
        if not found:
            raise ValueError(f"{folder} holds no whole export of isplit")
        return dict(sorted(found.items(), key=lambda one: one[1].checked["payload_bytes_mean"]))

    def _half(self, now_s: float) -> Half | None:
        name = self._choice.next()
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self._choice.document()) + "\n")
        return next((half for half in self._halves if half.server.export.name == name), None)

    def _saw(self, half: Half | None, device_s: float, size: int = 0, *times_s: float) -> None:
        """A frame without an answer counts as if it had taken twice its deadline."""
        times_s = times_s or (2 * self._deadline_s, 0.0) if half else (0.0, 0.0)
        self._choice.saw(half.server.export.name if half else LOCAL, device_s, size, *times_s)
