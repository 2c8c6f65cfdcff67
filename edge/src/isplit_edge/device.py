"""One frame after the other: head, encode, send, answer; by its deadline, with or without server.

Legend: H W pixels of an image.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.deploy.manifest import (
    HEAD,
    NET,
    Export,
    codec_of,
    exports_in,
    read_export,
    run,
    session,
)
from isplit_edge.log import LatencyLog
from isplit_edge.pixels import fitted
from isplit_edge.server import GoneError, Half, Server

PAUSE_S = 1.0  # without asking a server that was gone


@dataclass(frozen=True)
class Answer:
    """What became of a frame.

    Attributes:
        label: index of the class; ``name``: the class.
        logits: of all classes, float32.
        where: ``server``, or ``device`` where the whole net ran here.
        latency_s: from the call to the answer.
        payload_bytes: sent for it; 0 where nothing was.
    """

    label: int
    name: str
    logits: NDArray[np.float32]
    where: str
    latency_s: float
    payload_bytes: int


class Device(AbstractContextManager["Device"]):
    """Answers frames with the help of a server.

    Args:
        export: folder that ``isplit export`` wrote.
        server: ``host:port`` of gRPC, or several that are asked in turn; ``None``: everything is
            computed here.
        deadline_s: of a frame, from the call on; so long the server is asked.
        fallback: compute the whole net here where the server does not answer in time.
        threads: of onnxruntime.
        log: CSV file with a line for each frame, as the simulator of isplit writes it.
        tls: files by ``ca``, ``cert`` and ``key`` (:class:`isplit_edge.server.Server`).

    Raises:
        ValueError: the folder is no export, or its files are not those it was written with.
    """

    def __init__(
        self,
        export: Path | str,
        server: str | Sequence[str] | None,
        *,
        deadline_s: float = 1.0,
        fallback: bool = True,
        threads: int = 1,
        log: Path | str | None = None,
        tls: Mapping[str, Path | str] | None = None,
    ) -> None:
        if not 0 < deadline_s < inf:
            raise ValueError(f"deadline_s={deadline_s} is no number above 0")
        needed = ([HEAD] if server else []) + ([NET] if fallback or not server else [])
        designs = self._designs(Path(export), needed)
        whole = max(designs, key=lambda place: designs[place].checked.get("accuracy_whole", 0.0))
        self.export = designs[whole]
        self._net = session(whole / NET, threads) if NET in needed else None
        addresses, self._halves = [server] if isinstance(server, str) else server or [], []
        for place, one in designs.items() if server else ():
            there, head = Server(addresses, one, tls or {}), session(place / HEAD, threads)
            self._halves.append(Half(there, head, codec_of(one, place)))
        self._log, self._deadline_s = LatencyLog(log), deadline_s
        self._asked_again_s = self._local_s = 0.0
        self._warm_up()

    def answer(self, pixels: NDArray[np.uint8]) -> Answer:
        """The class of one image: uint8 (H, W, 3), RGB, upright.

        Raises:
            RefusedError: the server will not take what this export sends: another export is there.
            TimeoutError: no answer in time, and no fallback.
            ValueError: the pixels are none.
        """
        start_s = time.monotonic()
        pixels = fitted(np.asarray(pixels), self.export)[None]
        if half := self._half(start_s):
            try:
                return self._by_server(half, pixels, start_s)
            except GoneError as error:
                if not self._net:
                    self._log.add(start_s, fate=error.args[1])
                    raise TimeoutError(f"no answer in time: {error.args[0]}") from error
        began_s, logits = time.monotonic(), run(self._net, pixels)[0]
        self._saw(None, time.monotonic() - began_s)
        return self._done(logits, "device", (start_s, time.monotonic()))

    def _designs(self, folder: Path, needed: Sequence[str]) -> dict[Path, Export]:
        """The exports to answer by."""
        if len(several := exports_in(folder)) > 1:
            raise ValueError(f"{folder} holds {len(several)} designs, for --adapt to choose")
        return {folder: read_export(folder, needed)}

    def _half(self, now_s: float) -> Half | None:
        """What takes the next frame; ``None``: the whole net here."""
        return self._halves[0] if self._halves and now_s >= self._asked_again_s else None

    def _saw(self, half: Half | None, device_s: float, size: int = 0, *times_s: float) -> None:
        """A frame took this: here, and of link and server; without these there was no answer."""
        if half and not times_s:
            self._asked_again_s = time.monotonic() + PAUSE_S if self._net else 0.0

    def _by_server(self, half: Half, pixels: Any, start_s: float) -> Answer:
        payload = half.encoded(pixels)
        ready_s, until_s = time.monotonic(), start_s + self._deadline_s - self._local_s
        took = half, ready_s - start_s, len(payload)
        try:
            logits, wire_bytes, server_s = half.server.ask(payload, until_s)
        except GoneError:
            self._saw(*took)
            raise
        self._saw(*took, time.monotonic() - ready_s - server_s, server_s)
        return self._done(logits, "server", (start_s, ready_s), (len(payload), wire_bytes))

    def _done(
        self, logits: Any, where: str, times_s: tuple[float, float], sent: tuple[int, int] = (0, 0)
    ) -> Answer:
        ended_s, label = time.monotonic(), int(logits.argmax())
        self.export.check_classes(logits)
        self._log.add(*times_s, ended_s, wire_bytes=sent[1])
        name = self.export.class_names[label]
        return Answer(label, name, logits, where, ended_s - times_s[0], sent[0])

    def _warm_up(self) -> None:
        """Runtimes are slow the first time; and how long does the whole net take here?"""
        pixels = np.zeros((1, 8, 8, 3), np.uint8)  # of any size: they are resized
        for half in self._halves:
            half.encoded(pixels)
        for _ in range(2 if self._net else 0):
            start_s = time.monotonic()
            run(self._net, pixels)
            self._local_s = min(time.monotonic() - start_s, self._deadline_s / 2)

    def __exit__(self, *_: object) -> None:
        for half in self._halves:
            half.server.close()
