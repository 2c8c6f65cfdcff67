"""The stage store: finished stages under a hash of everything that can change their result.

::

    store/baseline/3f2a91c07d4e5b60/        finished: stage.json and weights.safetensors
    store/baseline/3f2a91c07d4e5b60.part/   being made, or interrupted: checkpoints to resume from
    store/baseline/3f2a91c07d4e5b60.lock    held while a process makes it (freed when it dies)
    store/jobs/9d1e....json                 finished jobs

A stage is made in its ``.part`` folder and becomes visible by one rename, so what is there is
whole. Processes that need the same stage at once queue at the lock: the first makes it.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from isplit.files import write_json
from isplit.stages.stored import Made, Recipe, Stored, fingerprint, read_stage, write_stage
from isplit.stages.team import Team

log = logging.getLogger(__name__)


class Store:
    """Finished stages by fingerprint, shared by any number of jobs.

    Where several processes run one job, they make a stage together; their leader locks, decides
    whether there is something to make, and writes.
    """

    def __init__(self, root: Path, job: Recipe, team: Team | None = None) -> None:
        self.root = root
        self._team = team or Team()
        self.job = fingerprint(job)
        self._job_file = root / "jobs" / f"{self.job}.json"
        try:
            self._job_file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"paths.store={root} cannot be used: {error}") from error
        self._unfinished = None if self._job_file.exists() else self.job

    def get_or_make(self, stage: str, recipe: Recipe, make: Callable[[Path], Made]) -> Stored:
        """The stored stage of this recipe; if there is none, ``make(folder)`` is called for it.

        Args:
            stage: name of the stage, the folder it lies in.
            recipe: everything that can change its result.
            make: makes it; may keep checkpoints in the folder and finds them there again after an
                interruption.

        Raises:
            ValueError: a stored stage cannot be read.
        """
        key = fingerprint(recipe)
        folder = self.root / stage / key
        with self._sole_maker(folder):
            if made_here := self._team.agreed(not folder.exists()):
                self._make(folder, recipe, make)
        stored = read_stage(folder, self.job if made_here else self._unfinished)
        if stored.reused:
            log.info("%s: reused (%s)", stage, key)
        return stored

    def read(self, stage: str, key: str) -> Stored:
        """The finished stage with this fingerprint.

        Raises:
            ValueError: it is not there, or cannot be read.
        """
        folder = self.root / stage / key
        if not folder.is_dir():
            raise ValueError(f"paths.store={self.root} has no {stage} {key}")
        return read_stage(folder, self._unfinished)

    def finish_job(self, result: Recipe) -> None:
        """Note that the job came to its end, with what it came to."""
        if self._team.leads:
            write_json(self._job_file, {"job": self.job, **result})

    def finished_job(self) -> Recipe | None:
        """What the job came to when it last came to its end; ``None``: it never did."""
        try:
            content: Recipe = json.loads(self._job_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return content

    def _make(self, folder: Path, recipe: Recipe, make: Callable[[Path], Made]) -> None:
        part = folder.with_suffix(".part")
        part.mkdir(exist_ok=True)
        begin = time.monotonic()
        made = make(part)
        self._team.agreed(None)  # nobody needs the folder any more
        if self._team.leads:
            seconds = round(time.monotonic() - begin, 3)
            write_stage(folder, self.job, recipe, made, seconds)
        self._team.agreed(None)

    @contextmanager
    def _sole_maker(self, folder: Path) -> Iterator[None]:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not self._team.leads:
            yield
            return
        lock = FileLock(folder.with_suffix(".lock"))
        try:
            held = lock.acquire(timeout=0)
        except Timeout:
            log.info("%s: another process is making it, waiting", folder.parent.name)
            held = lock.acquire()
        with held:
            yield
