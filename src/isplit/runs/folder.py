"""The folder of a job: one job at a time, and results of one way to train."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from isplit.documents import flattened, read_yaml
from isplit.files import write_text
from isplit.studies.run_folder import PLACES, RECIPE

OF_OWN_KEYS = (("data", "groups"), ("data", "class_map"), ("model", "net"))  # mappings: as a whole
DECISIVE = (*RECIPE, "data", "repeat")
HOW = (*(f"data.{key}" for key in PLACES), "stage.feature_memory_gb", "stage.evaluation_batch_size")


@contextmanager
def sole_job_in(folder: Path, config: str) -> Iterator[None]:
    """Hold the folder, whose ``config.yaml`` this becomes; the job is unfinished until it says so.

    Raises:
        ValueError: another job that is running writes there, or its results are of other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            _refuse_other_settings(folder, yaml.safe_load(config))
            (folder / "results.txt").unlink(missing_ok=True)
            write_text(folder / "config.yaml", config)
            yield
    except Timeout as error:
        raise ValueError(
            f"another job is running in hydra.run.dir={folder}: give this one a folder of its own"
        ) from error


def _refuse_other_settings(folder: Path, config: Mapping[str, Any]) -> None:
    """Else results that lie there would be taken for those of this job."""
    own = [place for place in folder.iterdir() if not (place / "config.yaml").exists()]
    results = any((place / "result.json").exists() for place in (folder, *own))
    if not (results and (folder / "config.yaml").exists()):
        return
    before, now = map(_decisive, (read_yaml(folder / "config.yaml"), config))
    for key in before.keys() & now.keys() - {*HOW}:
        if before[key] != now[key]:
            raise ValueError(
                f"hydra.run.dir={folder} holds results of {key}={before[key]}, and this job has "
                f"{key}={now[key]}: give it a folder of its own"
            )


def _decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decide a result, by their keys; an older version may not know them all."""
    kept: dict[str, Any] = {key: config.get(key) for key in DECISIVE}
    for group, key in OF_OWN_KEYS:
        if kept[group] and key in kept[group]:
            kept[group] = kept[group] | {key: json.dumps(kept[group][key])}
    return flattened(kept, ".")
