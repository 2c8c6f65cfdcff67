"""The stage store: finished stages under a hash of everything that can change their result.

::

    store/baseline/3f2a91c07d4e5b60/        finished: stage.json and weights.safetensors
    store/baseline/3f2a91c07d4e5b60.part/   being made, or interrupted: checkpoints to resume from
    store/baseline/3f2a91c07d4e5b60.lock    held while a process makes it (freed when it dies)
    store/jobs/9d1e....json                 finished jobs

A stage is made in its ``.part`` folder and becomes visible by one rename, so what is there is
whole. Processes that need the same stage at once queue at the lock: the first makes it.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from torch import Tensor

from isplit.files import sha256, write_json
from isplit.model import as_safetensors
from isplit.stages.team import Team

log = logging.getLogger(__name__)

STORE_VERSION = 1  # raise when the meaning of a stored stage changes
FINGERPRINT_DIGITS = 16
WEIGHTS = "weights.safetensors"

Recipe = Mapping[str, Any]
"""Everything that can change a stage's result, as plain JSON values."""


@dataclass(frozen=True)
class Made:
    """What a stage leaves: tensors by name, and whatever else it found out as JSON values."""

    weights: dict[str, Tensor]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Stored:
    """A finished stage as read back from the store.

    Attributes:
        reused: whether an earlier job made it (an interrupted job that goes on counts as one).
        seconds: what making it took (since the last interruption, if there was one).
        recipe: what it was made by.
        checked: whether it has a digest; the stages of versions before 0.2 have none.
    """

    fingerprint: str
    reused: bool
    seconds: float
    made: Made
    recipe: Recipe
    checked: bool = True


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
        self._finished_before = self._job_file.exists()

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
        stored = self._read(folder, made_here)
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
        return self._read(folder, made_here=False)

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
            self._write(folder, recipe, made, round(time.monotonic() - begin, 3))
        self._team.agreed(None)

    def _write(self, folder: Path, recipe: Recipe, made: Made, seconds: float) -> None:
        part = folder.with_suffix(".part")
        weights = part / WEIGHTS
        weights.write_bytes(as_safetensors(made.weights))
        noted = {"job": self.job, "seconds": seconds, "recipe": recipe, "facts": made.facts}
        about = json.loads(json.dumps(noted, allow_nan=False))  # as it will be read
        about["digest"] = _digest(folder.name, about, weights)
        write_json(part / "stage.json", about)
        part.rename(folder)
        for leftover in (*folder.glob("*.ckpt"), *folder.glob("*.spill")):
            leftover.unlink()

    def _read(self, folder: Path, made_here: bool) -> Stored:
        try:
            about = json.loads((folder / "stage.json").read_text(encoding="utf-8"))
            digest = about.pop("digest", None)
            if digest not in (None, _digest(folder.name, about, folder / WEIGHTS)):
                raise ValueError("it is not what was written there: its digest is another")
            made = Made(safetensors.torch.load_file(folder / WEIGHTS), about["facts"])
            reused = not made_here and (about["job"] != self.job or self._finished_before)
            return Stored(
                fingerprint=folder.name,
                reused=reused,
                seconds=about["seconds"],
                made=made,
                recipe=about["recipe"],
                checked=digest is not None,
            )
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            SafetensorError,
        ) as error:
            raise ValueError(
                f"the stored stage {folder} cannot be read ({error}): delete that folder to have "
                "it made again, or choose another store with paths.store=..."
            ) from error

    @contextmanager
    def _sole_maker(self, folder: Path) -> Iterator[None]:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not self._team.leads:
            yield
            return
        lock = FileLock(folder.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("%s: another process is making it, waiting", folder.parent.name)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


def fingerprint(recipe: Recipe) -> str:
    """Hash of a recipe, the store's version and torch's.

    >>> fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": (2,), "a": 1})
    True
    >>> fingerprint({"a": 1}) == fingerprint({"a": 2})
    False
    """
    whole = {"store": STORE_VERSION, "torch": torch.__version__, "recipe": recipe}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def _digest(key: str, about: Recipe, weights: Path) -> str:
    """Over the weights' file and all that is noted about the stage that lies under ``key``."""
    whole = [key, sha256(weights), about]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
