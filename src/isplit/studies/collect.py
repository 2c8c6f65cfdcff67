"""What jobs left behind, read back: runs, and the conditions they fall into."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from isplit.types import Curve, SplitPoint, SplitResult

RESULT_SCHEMA = 1

_RESULT, _POINT = TypeAdapter(SplitResult), TypeAdapter(SplitPoint)


@dataclass(frozen=True)
class Run:
    """One finished split, as its job left it.

    Attributes:
        folder: of its ``result.json``.
        config: the resolved config of its job.
        curve: what its job ranked the split points by; its points are all of the model's.
    """

    folder: Path
    result: SplitResult
    config: Mapping[str, Any]
    curve: Curve


@dataclass(frozen=True)
class Collection:
    """The runs that could be read, and what was left out, with the reason."""

    runs: tuple[Run, ...]
    left_out: tuple[str, ...]


def collect(folders: Iterable[Path]) -> Collection:
    """Every finished run below the folders, at any depth; one that was made twice counts once.

    What cannot be read (half written, of another schema) is named with its reason, not fatal.

    Raises:
        FileNotFoundError: a folder is not there.
    """
    runs: dict[tuple[str, ...], Run] = {}
    left_out: list[str] = []
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"runs={folder} is not a folder: name one that train.py wrote")
        for path in sorted(folder.rglob("result.json")):
            try:
                run = _read(path)
            except (OSError, ValueError, KeyError, yaml.YAMLError) as error:
                left_out.append(f"{path.parent}: {_reason(error)}")
            else:
                runs[_trainings(run)] = run
        left_out += _unfinished(folder)
    return Collection(tuple(runs.values()), tuple(left_out))


def by_condition(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """The runs that differ in the split point and in nothing but repeats, under a name each.

    A condition is one baseline, one way to compress and one way to train; the name says model,
    data, compression and seed, and whatever else sets conditions apart.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(_key(run), []).append(run)
    names = _names([runs[0] for runs in groups.values()])
    return dict(zip(names, groups.values(), strict=True))


def facts(run: Run) -> dict[str, str | int | float]:
    """What people know a condition by."""
    result, bottleneck = run.result, run.config["bottleneck"]
    elements = bottleneck.get("code_elements")
    size = {"code_elements": elements} if elements else {"rate": bottleneck["compression_rate"]}
    return {
        "model": result.model,
        "data": result.data,
        "classes": result.num_classes,
        **size,
        "seed": result.seed,
    }


def correct_answers(run: Run) -> list[bool] | None:
    """Whether each test image was answered rightly after fine-tuning; ``None``: not known."""
    path = run.folder / "predictions.csv"
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        return [row["label"] == row["finetune"] for row in csv.DictReader(file)]


def job_folder(folder: Path) -> Path:
    """Of the job whose result lies in ``folder``; one of several points has a folder below its own.

    Raises:
        ValueError: there is no job's config and curve.
    """
    for candidate in (folder, folder.parent):
        if (candidate / "config.yaml").is_file() and (candidate / "curve.json").is_file():
            return candidate
    raise ValueError("config.yaml or curve.json is missing beside it and above it")


def _read(path: Path) -> Run:
    about = json.loads(path.read_text(encoding="utf-8"))
    if about.get("schema") != RESULT_SCHEMA:
        raise ValueError(f"result.json has schema {about.get('schema')!r}, not {RESULT_SCHEMA}")
    job = job_folder(path.parent)
    config = yaml.safe_load((job / "config.yaml").read_text(encoding="utf-8"))
    curve = json.loads((job / "curve.json").read_text(encoding="utf-8"))
    points = tuple(_POINT.validate_python(_own(SplitPoint, point)) for point in curve["points"])
    return Run(
        path.parent,
        _RESULT.validate_python(about),
        config,
        Curve(
            kind=curve["kind"],
            points=points,
            values=tuple(point["value"] for point in curve["points"]),
            per_class={name: tuple(v) for name, v in curve["per_class"].items()},
            num_images=curve["num_images"],
        ),
    )


def _own(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are fields of ``kind``: a curve's points carry value and rank besides."""
    return {name: value for name, value in values.items() if name in kind.__dataclass_fields__}


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(error, json.JSONDecodeError):
        return f"half written, or no JSON ({error})"
    return str(error)


def _unfinished(folder: Path) -> list[str]:
    """Jobs that began and have not come to their end."""
    jobs = (path.parent for path in sorted(folder.rglob("config.yaml")))
    return [
        f"{job}: the job has not finished (what it finished counts)"
        for job in jobs
        if (job / "curve.json").is_file() != (job / "results.txt").is_file()
    ]


def _trainings(run: Run) -> tuple[str, ...]:
    """What makes two results the same; a training may belong to two conditions by its code."""
    return (_key(run), *(stage.fingerprint for stage in run.result.stages.values()))


def _key(run: Run) -> str:
    """Everything that two runs of one condition have in common."""
    stage = {name: run.config["stage"][name] for name in ("autoencoder", "finetune")}
    common = [run.result.stages["baseline"].fingerprint, run.config["bottleneck"], stage]
    return json.dumps([*common, [point.node for point in run.curve.points]], sort_keys=True)


def _names(examples: Sequence[Run]) -> list[str]:
    """Unique names: the facts, and where those are not enough, the config keys that differ."""
    shown = [_in_words(facts(run)) for run in examples]
    flat = [_flat(run.config) for run in examples]
    for number, name in enumerate(shown):
        twins = [other for other, same in enumerate(shown) if same == name]
        if len(twins) > 1:
            differing = [
                key
                for key in flat[number]
                if len({json.dumps(flat[twin].get(key)) for twin in twins}) > 1
                and key.split(".")[0] in ("data", "model", "stage", "split", "bottleneck")
            ]
            shown[number] = ", ".join([name, *(f"{k}={flat[number][k]}" for k in differing[:4])])
    return [name if shown.count(name) == 1 else f"{name} #{n}" for n, name in enumerate(shown, 1)]


def _in_words(known: Mapping[str, str | int | float]) -> str:
    size = f"rate {known['rate']}" if "rate" in known else f"code of {known['code_elements']}"
    data = f"{known['data']} ({known['classes']} classes)"
    return f"{known['model']} on {data}, {size}, seed {known['seed']}"


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
