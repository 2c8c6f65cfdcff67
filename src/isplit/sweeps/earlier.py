"""What earlier runs of a sweep's jobs left, and whether it is still what they would come to."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isplit import config
from isplit.runs.base import workbench
from isplit.runs.reopened import reopen_baseline
from isplit.stages import Store
from isplit.sweeps.jobs import Job

RESULT = "result.json"
STAYS_BEHIND = (".lock", "wandb")  # of an earlier job's folder


def done_before(jobs: Sequence[Job], folder: Path) -> dict[str, Path]:
    """Where the results of finished jobs lie, by their names, for the sweep in ``folder``.

    A job whose data or net has changed since is not among them; nor is one whose place in the
    sweep's folder has other results, which the job itself refuses.

    Raises:
        FileNotFoundError: the data of a finished job is not there any more.
    """
    places: dict[str, Path] = {}
    same: dict[str, bool] = {}
    for job in jobs:
        place = finished_in(job)
        left = stages_in(place) if place else {}
        if place is None or not stages_in(folder / job.name).items() <= left.items():
            continue
        made = next(iter(left.values()))["baseline"]
        key = json.dumps([made, config.plain(job.cfg.data), config.plain(job.cfg.model)])
        if key not in same:
            same[key] = _is_still_of(job, made)
        if same[key]:
            places[job.name] = place
    return places


def finished_in(job: Job) -> Path | None:
    """The folder of its results, when it came to its end and they are all there as it left them."""
    finished = _store(job).finished_job() or {}
    made, folder = finished.get("splits"), Path(finished.get("output", ""))
    if not isinstance(made, Mapping):  # no such job, or of a version that did not note its stages
        return None
    return folder if made.items() <= stages_in(folder).items() else None


def stages_in(folder: Path) -> dict[str, dict[str, str]]:
    """The fingerprints of the stages behind each result of a job, by split point."""
    found = (read_result(place) for place in results_in(folder))
    return {
        result["split"]["layer"]: {name: of["fingerprint"] for name, of in result["stages"].items()}
        for result in found
        if {"split", "stages"} <= result.keys()
    }


def results_in(folder: Path) -> tuple[Path, ...]:
    """The folders with a result of the job that wrote to ``folder``: itself, or one per point.

    What a search copies to its own folder is the result of one of them.
    """
    below = {file.parent: _layer_in(file.parent) for file in sorted(folder.glob(f"*/{RESULT}"))}
    own = (folder / RESULT).exists() and _layer_in(folder) not in below.values()
    return (*([folder] if own else []), *below)


def read_result(folder: Path) -> dict[str, Any]:
    """The content of a ``result.json``; empty if it is no JSON."""
    try:
        content: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content


def bring(earlier: Path, folder: Path) -> None:
    """Make ``folder`` hold what ``earlier`` holds, as hard links where the file system has them.

    So a sweep's folder holds all of its points, wherever they were trained. What an interrupted job
    left there makes way; ``result.json`` comes last as always.
    """
    names = [file.relative_to(earlier) for file in earlier.rglob("*") if file.is_file()]
    moved = [name for name in names if not {*STAYS_BEHIND} & {*name.parts}]
    for name in sorted(moved, key=lambda name: name.name == RESULT):
        file, target = earlier / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not (target.exists() and target.samefile(file)):
            target.unlink(missing_ok=True)
            _link(file, target)


def _store(job: Job) -> Store:
    return Store(config.store_folder(job.cfg), config.identity(job.cfg))


def _is_still_of(job: Job, baseline: str) -> bool:
    """Whether the job's data and net are those that a baseline was trained on and from."""
    try:
        reopen_baseline(job.cfg, workbench(job.cfg), _store(job).read("baseline", baseline))
    except ValueError:
        return False
    return True


def _layer_in(folder: Path) -> Any:
    return read_result(folder).get("split", {}).get("layer")


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(file, target)
