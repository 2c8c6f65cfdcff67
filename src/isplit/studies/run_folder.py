"""The one door by which the folder of a finished run comes in: values, checked against each other.

A folder may come from anywhere. What its config says is data; keys that older versions did not
write are filled in here.
"""

import csv
import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from isplit.documents import read_json, read_text, read_yaml
from isplit.importance.curve import Curve
from isplit.point import SplitPoint
from isplit.result import SplitResult

SCHEMAS = (1, 2)
STAGES = ("baseline", "autoencoder", "finetune")  # of a config
MOST_ELEMENTS = 2**40  # of the features of one image
ANSWERS_BYTES = 2**28  # of predictions.csv
FINGERPRINT = re.compile(r"[0-9a-f]{16}")

OLDER: dict[str, Any] = {  # what a key that was not written meant
    "repeat": 0,
    "model": {"weights": None},
    "data": {"classes": None, "groups": None},
    "split": {"granularity": "layer"},
    "bottleneck": {"compression_rate": 0.9, "code_elements": None},
    "stage": {"feature_memory_gb": 2.0},
    "trainer": {},
}


@dataclass(frozen=True)
class _Value:
    value: float


_RESULT = TypeAdapter(SplitResult)
_POINTS, _VALUES = TypeAdapter(tuple[SplitPoint, ...]), TypeAdapter(tuple[_Value, ...])
_PER_CLASS = TypeAdapter(dict[str, tuple[float, ...]])


@dataclass(frozen=True)
class Run:
    """One finished split, as its job left it.

    Attributes:
        folder: of its ``result.json``.
        config: of its job, as plain values.
        curve: what its job ranked the split points by; its points are all of the model's.
        correct: whether each test image was answered rightly at the end; ``None``: not known.
        unsplit_correct: the same, by the unsplit model.
    """

    folder: Path
    result: SplitResult
    config: Mapping[str, Any]
    curve: Curve
    correct: tuple[bool, ...] | None = None
    unsplit_correct: tuple[bool, ...] | None = None


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
    _refuse_contradictions(result, curve)
    return Run(folder, result, config, curve, *_correct(folder / "predictions.csv", result))


def read_config(job: Path) -> dict[str, Any]:
    """The config of a job as plain values.

    Raises:
        ValueError: it is not the config of a job.
    """
    config = _mapping(read_yaml(job / "config.yaml"), "config.yaml")
    filled = OLDER | {"codec": {"name": "none"}} | config
    for group, older in OLDER.items():
        if isinstance(older, dict):
            if older and group not in config:
                raise ValueError(f"config.yaml lacks {group}")
            filled[group] = older | _mapping(filled[group], f"config.yaml: {group}")
    _mapping(filled["codec"], "config.yaml: codec")
    for stage in STAGES:
        _mapping(filled["stage"].get(stage), f"config.yaml: stage.{stage}")
    older = {"through_codec": False, "net_learning_rate": None}
    filled["stage"]["finetune"] = older | filled["stage"]["finetune"]
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
    points = about.get("points")
    return Curve(
        kind=str(about.get("kind")),
        points=_POINTS.validate_python(points),
        values=tuple(one.value for one in _VALUES.validate_python(points)),
        per_class=_PER_CLASS.validate_python(about.get("per_class")),
        num_images=TypeAdapter(int).validate_python(about.get("num_images")),
    )


def _refuse_contradictions(result: SplitResult, curve: Curve) -> None:
    """Numbers that no job comes to, and files that are not of one job."""
    points, split, classes = curve.points, result.split, result.per_class
    reached, bottleneck = result.accuracy.reached, result.bottleneck
    shares = (*reached.values(), *classes.baseline_f1, *classes.split_f1)
    names = classes.class_names
    of_classes = {len(names), len(classes.baseline_f1), len(classes.split_f1)}
    fingerprints = [stage.fingerprint for stage in result.stages.values()]
    right = {
        "accuracy: a share is not in 0..1": all(0 <= share <= 1 for share in shares),
        "accuracy.test_images: there are none": result.accuracy.test_images > 0,
        "per_class: not as many as classes": of_classes == {result.num_classes}
        and len(set(names)) == len(names),
        "stages: not those that have an accuracy": set(reached) == set(result.stages)
        and ("codec" in reached, "autoencoder" in reached) == (bool(result.codec), bool(bottleneck))
        and ("finetune" in reached or not bottleneck),
        "stages: one has no fingerprint": all(map(FINGERPRINT.fullmatch, fingerprints)),
        "curve.json: its points are not in order": points != ()
        and all(point.index == place for place, point in enumerate(points)),
        "curve.json: a point has no size or no cost": all(map(_is_whole, points)),
        "curve.json: per_class has other points": all(
            len(values) == len(points) for values in curve.per_class.values()
        ),
        "split: it is not among the points of curve.json": split.layer
        in [point.name for point in points if point.index == split.index],
    }
    if wrong := [what for what, holds in right.items() if not holds]:
        raise ValueError(wrong[0])


def _is_whole(point: SplitPoint) -> bool:
    macs = (point.head_macs, point.tail_macs)
    has_size = point.shape != () and min(point.shape) > 0 and point.numel < MOST_ELEMENTS
    return has_size and min(*macs, point.head_params) >= 0 < max(macs)


def _correct(path: Path, result: SplitResult) -> list[tuple[bool, ...]]:
    """At the end and, if that is there, unsplit: the answers that the accuracies count."""
    if not os.path.lexists(path):
        return []
    rows = csv.DictReader(io.StringIO(read_text(path, ANSWERS_BYTES), newline=""))
    reached, count = result.accuracy.reached, result.accuracy.test_images
    try:
        there = {"baseline"} & {*(rows.fieldnames or ())}
        names, answers = dict.fromkeys([[*reached][-1], *there]), [*rows]
        found = {name: tuple(row["label"] == row[name] for row in answers) for name in names}
    except (csv.Error, KeyError) as error:
        raise ValueError(f"predictions.csv is not the table of a job: {error}") from error
    for name, correct in found.items():
        if (len(correct), sum(correct)) != (count, round(reached[name] * count)):
            raise ValueError(
                "predictions.csv is not of this result: other images or other accuracy"
            )
    return [*found.values()]
