"""Folders of finished runs as they may come from anywhere: a good one, and many that are not."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from isplit.point import SplitPoint
from isplit.result import (
    Accuracy,
    BottleneckResult,
    ChosenSplit,
    Cost,
    CurveValue,
    PerClass,
    SplitResult,
    StageResult,
)

CALL = {"_target_": "os.makedirs", "name": "canary"}
POINTS = [SplitPoint(i, f"features.{i}", (4, 8 >> i, 8 >> i), f"n{i}", 9, 9, 9) for i in range(3)]
RESULT = SplitResult(
    schema=1,
    model="vgg16",
    data="letters",
    num_classes=2,
    seed=0,
    split=ChosenSplit("features.1", 1, (4, 4, 4), "user", "features.1"),
    curve=CurveValue("cui", 2.0, 1, 3),
    bottleneck=BottleneckResult(0.9, 0.9, (1, 2, 2), 0.25),
    accuracy=Accuracy(1.0, 0.5, 0.75, 4),
    per_class=PerClass(("A", "B"), (1.0, 1.0), (0.5, 0.5)),
    cost=Cost(1, 2, 3, 4, 5, 512, 64),
    stages={
        stage: StageResult(f"{number:016x}", False, 1.0)
        for number, stage in enumerate(("baseline", "autoencoder", "finetune"))
    },
)
CURVE = {
    "kind": "cui",
    "num_images": 40,
    "points": [asdict(point) | {"value": float(point.index), "rank": 1} for point in POINTS],
    "per_class": {"A": [0.0, 1.0, 2.0]},
}
STAGE = {"epochs": 1, "trains": "auto"}
CONFIG = {
    "seed": 0,
    "model": {"name": "vgg16", "weights": None},
    "data": {"name": "letters", "root": None, "cache_dir": "/nowhere/cache", "image_size": 32},
    "split": {"kind": "cui", "layer": "features.1"},
    "bottleneck": {"compression_rate": 0.9, "code_elements": None},
    "stage": {"baseline": STAGE, "autoencoder": STAGE, "finetune": STAGE},
    "logger": {"mode": "online", "extra": {"spy": CALL}},
}


def make_run(folder: Path, **files: str) -> Path:
    """A finished run in ``folder``; ``files`` has other contents by the stem of their name."""
    folder.mkdir(parents=True)
    contents = {
        "result.json": json.dumps(asdict(RESULT)),
        "curve.json": json.dumps(CURVE),
        "config.yaml": json.dumps(CONFIG),
        "predictions.csv": "label,finetune\nA,A\nB,B\nA,A\nB,A\n",
        "results.txt": "",
    }
    for name, content in contents.items():
        (folder / name).write_text(files.get(name.partition(".")[0], content), encoding="utf-8")
    return folder


def changed(document: dict, path: str, value: object) -> str:
    """The document as JSON, which is YAML too, with another value at a path of keys."""
    document = json.loads(json.dumps(document))
    *above, last = path.split(".")
    place = document
    for key in above:
        place = place[int(key)] if isinstance(place, list) else place[key]
    place[last] = value
    return json.dumps(document)


def _bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


WHOLE = {  # contents that no file of a run has
    "empty": "",
    "list": "[]",
    "null": "null",
    "number": "3",
    "text": '"x"',
    "nested": "[" * 100_000,
    "nested_keys": '{"a":' * 100_000,
    "many": "[" + "[]," * 4_000_000 + "[]]",
    "large": " " * (17 * 2**20),
    "digits": "9" * 100_000,
    "not_unicode": "\udcff",
    "half": '{"schema": 1, "model"',
    "surrogate": '{"schema": 1, "model": "\\ud800"}',
}
RESULTS = {
    "split.index": (999, -1, 1.5, "1e400"),
    "split.layer": ("features.0", "../../etc", None),
    "accuracy.baseline": (float("inf"), float("nan"), -0.1, 90, "high", None),
    "accuracy.after_finetune": (1.0, 10**400),
    "accuracy.test_images": (0, -4, 10**30),
    "per_class.class_names": ([], ["A"], ["A", "A"], [1, 2], ["x"] * 500_000, "AB"),
    "per_class.split_f1": ([2.0, 0.0], [None, None]),
    "stages": ({}, [], {"baseline": 3}),
    "stages.baseline.fingerprint": ("../../../x", "", 7),
    "cost": (None,),
    "num_classes": (0, 10**9),
    "schema": (0, 99, "1", None, [1]),
    "data": ("${oc.env:SECRET}", "x" * 100_000, {"_target_": "os.getcwd"}),
}
CURVES = {
    "points": ([], None, {}, [CURVE["points"][0]] * 3),
    "points.1.shape": ([], [0, 1], [-1, 4], [10**12, 10**12]),
    "points.1.value": (None, "x"),
    "points.1.index": (2,),
    "per_class": (None, {"A": [1.0]}, {"A": "x"}),
    "num_images": (None, "many"),
}
CONFIGS = {
    "stage": (None, [], {"baseline": STAGE}),
    "data": (None, "letters"),
    "model": ([], 3),
    "bottleneck": (None,),
    "seed": (None, "${oc.env:SECRET}", 1.5),
    "data.root": ("/nowhere/${oc.env:SECRET}", "x" * 20_000),
    "split": ("all",),
}
RAW = {
    "config": {
        "aliases": _bomb(10),
        "cycle": "seed: &a [*a]",
        "tag": "seed: !!python/object/apply:os.makedirs [canary]",
        "binary": "seed: !!binary aGk=",
        "date": "seed: 2020-01-01",
        "sexagesimal": "seed: " + ":".join(["59"] * 200_000),
        "keys": "{1: {2: 3}}",
        "tabs": "a:\n\t- b",
        "documents": "a: 1\n---\nb: 2",
    },
    "predictions": {
        "empty": "",
        "header": "label,finetune\n",
        "columns": "a,b\n1,2\n",
        "rows": "label,finetune\nA,A\n",
        "field": "label,finetune\nA," + "x" * 200_000,
        "quote": 'label,finetune\n"A,A\nB,B\n',
    },
}


def malformed(root: Path) -> dict[str, Path]:
    """More than 60 folders below ``root``, each wrong in one way, by name."""
    made: dict[str, Path] = {}

    def make(name: str, **files: str) -> Path:
        made[name] = make_run(root / name, **files)
        return made[name]

    for file in ("result", "curve", "config"):
        for name, content in WHOLE.items():
            folder = make(f"{file}-{name}")
            suffix = "yaml" if file == "config" else "json"
            (folder / f"{file}.{suffix}").write_bytes(content.encode(errors="surrogateescape"))
    documents = {"result": (RESULTS, asdict(RESULT)), "curve": (CURVES, CURVE)}
    documents["config"] = (CONFIGS, CONFIG)
    for file, (changes, document) in documents.items():
        for path, values in changes.items():
            for number, value in enumerate(values):
                make(f"{file}-{path}-{number}", **{file: changed(document, path, value)})
    for file, contents in RAW.items():
        for name, content in contents.items():
            make(f"{file}-{name}", **{file: content})
    for name, replace in SPECIAL.items():
        for file in ("result.json", "config.yaml", "curve.json", "predictions.csv"):
            folder = make(f"{name}-{file}")
            (folder / file).unlink()
            replace(folder / file)
    return made


SPECIAL: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "folder": lambda path: path.mkdir(),
    "loop": lambda path: path.symlink_to(path),
}
