"""The server's half of an export, for many clients at once; it knows no transport."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import Counter, Gauge, Histogram

from isplit.deploy.manifest import TAIL, codec_of, decoded, read_export, run, session

REQUESTS = Counter("isplit_requests", "Of inference")
REFUSED = Counter("isplit_refused", "Requests that were none")
BUSY = Counter("isplit_busy", "Requests that were told to come back")
WAITING = Gauge("isplit_queue_frames", "Not answered yet")
DECODE = Histogram("isplit_decode_seconds", "Of a payload")
COMPUTE = Histogram("isplit_tail_seconds", "Of a batch")
BATCH = Histogram("isplit_batch_frames", "Of a batch", buckets=[2**n for n in range(8)])


class BusyError(RuntimeError):
    """The queue is full, or the server is about to end; another try may succeed."""


class Tail:
    """Decodes payloads, and answers together what has gathered while it computed.

    Attributes:
        export: what the manifest says.
        ready: whether it takes requests; set to False, it answers what it has taken.
    """

    def __init__(
        self, folder: Path | str, max_batch: int = 16, queue: int = 64, threads: int = 1
    ) -> None:
        self.export = read_export(folder, [TAIL])
        self._codec, shape = codec_of(self.export, folder), self.export.code_shape
        self._net, self._worker = session(Path(folder) / TAIL, threads), ThreadPoolExecutor(1)
        self.max_batch, self.queue, self.ready = max_batch, queue, True
        self._waiting, self._computing = 0, asyncio.Lock()
        self._codes: list[Any] = []  # of the batch that gathers
        self._logits: asyncio.Task[Any] | None = None  # of the same; None: none gathers
        payload = self._codec.encode(np.zeros((1, *shape), np.float32))[0]
        logits = self._computed([self._decoded(payload)])  # the first time is slow
        self.export.check_classes(logits[0])

    async def logits(self, payload: bytes) -> Any:
        """Float32 (1, classes).

        Raises:
            PayloadError: it is no payload of this export.
            BusyError: come back later.
        """
        if not self.ready or self._waiting >= self.queue:
            raise BusyError("the queue is full" if self.ready else "the server is about to end")
        self._wait(1)
        try:
            loop = asyncio.get_running_loop()
            code = await loop.run_in_executor(self._worker, self._decoded, payload)
            if self._logits is None or len(self._codes) >= self.max_batch:
                self._codes = []
                self._logits = asyncio.create_task(self._answers(self._codes))
            self._codes.append(code)
            place = len(self._codes)
            return (await asyncio.shield(self._logits))[place - 1 : place]
        finally:
            self._wait(-1)

    async def _answers(self, codes: list[Any]) -> Any:
        """Of a batch, which gathers until the one before is answered."""
        async with self._computing:
            if self._codes is codes:
                self._logits = None
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._worker, self._computed, codes)

    @DECODE.time()
    def _decoded(self, payload: bytes) -> Any:
        return decoded(self._codec, self.export, payload)

    @COMPUTE.time()
    def _computed(self, codes: list[Any]) -> Any:
        BATCH.observe(len(codes))
        return run(self._net, np.concatenate(codes))

    def _wait(self, more: int) -> None:
        self._waiting += more
        WAITING.inc(more)
