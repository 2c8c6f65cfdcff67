"""The one door by which the folder of a finished run comes in: values, checked against each other.

A folder may come from anywhere. What its config says is data; keys that older versions did not
write are filled in here.
"""

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from isplit.documents import read_json, read_text, read_yaml
from isplit.importance.curve import CuiSettings, Curve, called
from isplit.result import SplitResult
from isplit.studies.contradictions import refuse_contradictions

SCHEMAS = (1, 2)
STAGES = ("baseline", "autoencoder", "finetune")  # of a config
ANSWERS_BYTES = 2**28  # of predictions.csv

RECIPE = ("model", "bottleneck", "codec", "stage", "seed")  # with the data, what a training is
PLACES = ("cache_dir", "root", "memory_gb", "num_workers", "download")  # of the data: not what

OLDER: dict[str, dict[str, Any]] = {  # what a key that was not written meant
    "model": {"weights": None},
    "data": {"classes": None, "groups": None},
    "split": {"granularity": "layer", "cui": {}, "classes": None},
    "bottleneck": {"compression_rate": 0.9, "code_elements": None},
    "stage": {"feature_memory_gb": 2.0},
}
OLDER_FINETUNE = {"through_codec": False, "net_learning_rate": None}


_RESULT, _CURVE = TypeAdapter(SplitResult), TypeAdapter(Curve)
OF_GRADIENTS = ("cui", "gradient", "cosine")  # which split.cui changes
OF_CURVE = ("kind", "points", "per_class", "num_images")


@dataclass(frozen=True)
class Run:
    """One finished split, as its job left it.

    Attributes:
        folder: of its ``result.json``.
        config: of its job, as plain values.
        curve: what its job ranked the split points by; its points are all of the model's.
        correct: whether each test image was answered rightly at the end; ``None``: not known.
        unsplit_correct: the same, by the unsplit model.
        commonest: part of the test images that are of their commonest class; 0: not known.
    """

    folder: Path
    result: SplitResult
    config: Mapping[str, Any]
    curve: Curve
    correct: tuple[bool, ...] | None = None
    unsplit_correct: tuple[bool, ...] | None = None
    commonest: float = 0.0

    @property
    def ranked_by(self) -> str:
        """What ``curve`` is called among the predictors of a study: as it was made, in brackets."""
        split, kind = self.config["split"], self.curve.kind
        usual = asdict(CuiSettings()) if kind in OF_GRADIENTS else {}
        given = {key: split["cui"].get(key, value) for key, value in usual.items()}
        made = {key: value for key, value in given.items() if str(value) != usual[key]}
        some = {"classes": "some"} if split["classes"] and self.curve.num_images else {}
        return called(kind, made | some)


def read_run(folder: Path) -> Run:
    """The finished run whose ``result.json`` lies in ``folder``.

    Raises:
        ValueError: what is there is not what a finished job leaves.
        OSError: a file cannot be read.
    """
    about = _mapping(read_json(folder / "result.json"), "result.json")
    if about.get("schema") not in SCHEMAS:
        raise ValueError(f"result.json has schema {about.get('schema')!r}, not 1 or 2")
    job = job_folder(folder)
    config = read_config(job)
    try:
        result = _RESULT.validate_python(about)
        curve = _curve(_mapping(read_json(job / "curve.json"), "curve.json"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    refuse_contradictions(result, curve, config)
    return Run(folder, result, config, curve, **_answers(folder / "predictions.csv", result))


def read_config(job: Path) -> dict[str, Any]:
    """The config of a job as plain values.

    Raises:
        ValueError: it is not the config of a job.
    """
    config = _mapping(read_yaml(job / "config.yaml"), "config.yaml")
    filled = {"repeat": 0} | OLDER | {"trainer": {}, "codec": {"name": "none"}} | config
    for group, older in OLDER.items():
        if group not in config:
            raise ValueError(f"config.yaml lacks {group}")
        filled[group] = older | _mapping(config[group], f"config.yaml: {group}")
    for group in ("trainer", "codec"):
        _mapping(filled[group], f"config.yaml: {group}")
    _mapping(filled["split"]["cui"], "config.yaml: split.cui")
    for stage in STAGES:
        _mapping(filled["stage"].get(stage), f"config.yaml: stage.{stage}")
    filled["stage"]["finetune"] = OLDER_FINETUNE | filled["stage"]["finetune"]
    if type(filled["repeat"]) is not int or type(filled.get("seed")) is not int:
        raise ValueError("config.yaml: seed and repeat must be whole numbers")
    return filled


def job_folder(folder: Path) -> Path:
    """Of the job whose result lies in ``folder``; one of several points has a folder below its own.

    Raises:
        ValueError: there is no job's config and curve.
    """
    for candidate in (folder, folder.parent):
        if (candidate / "config.yaml").exists() and (candidate / "curve.json").exists():
            return candidate
    raise ValueError("config.yaml or curve.json is missing beside it and above it")


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} holds no keys")
    return value


def _curve(about: dict[str, Any]) -> Curve:
    known = {key: about.get(key) for key in OF_CURVE}
    points = known["points"] if isinstance(known["points"], list) else []
    values = [point.get("value") for point in points if isinstance(point, dict)]
    return _CURVE.validate_python(known | {"values": values})


def _answers(path: Path, result: SplitResult) -> dict[str, Any]:
    """What the answers come to, by attribute of the run; they are those that accuracies count."""
    if not os.path.lexists(path):
        return {}
    rows = csv.DictReader(io.StringIO(read_text(path, ANSWERS_BYTES), newline=""))
    reached, count = result.accuracy.reached, result.accuracy.test_images
    last = [*reached][-1]
    try:
        names, answers = {last, "baseline"} & {last, *(rows.fieldnames or ())}, [*rows]
        found = {name: tuple(row["label"] == row[name] for row in answers) for name in names}
        commonest = max(Counter(row["label"] for row in answers).values(), default=0)
    except (csv.Error, KeyError) as error:
        raise ValueError(f"predictions.csv is not the table of a job: {error}") from error
    for name, correct in found.items():
        if (len(correct), sum(correct)) != (count, round(reached[name] * count)):
            raise ValueError(
                "predictions.csv is not of this result: other images or other accuracy"
            )
    unsplit = found.get("baseline")
    return {"correct": found[last], "unsplit_correct": unsplit, "commonest": commonest / count}
