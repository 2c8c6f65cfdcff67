"""The predictors over the conditions of a folder, scored again from their tables alone.

    python benchmarks/leaderboard.py docs/results

Reads ``curve.csv`` of each condition and what chance makes of its accuracies from its
``agreement.json``; writes ``agreement.json`` of each and ``leaderboard.csv``, ``.json``, ``.png``.
Nothing is trained: of the single trainings only their mean, lowest and highest accuracy are known,
so what needs each of them (``noise``, ``spearman_one_training``) is kept as it was.
"""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from isplit.files import write_json, write_text
from isplit.importance import PREDICTORS
from isplit.importance.curve import Curve
from isplit.point import SplitPoint
from isplit.report.canvas import save
from isplit.report.findings import as_json
from isplit.result import Accuracy, BottleneckResult, ChosenSplit, Cost, CurveValue, PerClass
from isplit.result import SplitResult as Result
from isplit.studies.agreement.agreement import agreement
from isplit.studies.agreement.figures.predictors import leaderboard_figure
from isplit.studies.agreement.leaderboard import leaderboard, standings_rows
from isplit.studies.agreement.verdict import verdict
from isplit.studies.conditions import MEASURED, Condition, Retrained
from isplit.studies.scores import Noise

FOLDER = re.compile(r"(?P<model>.+)-on-(?P<data>.+)-(?P<classes>\d+)-classes-(?P<size>.+)-seed-\d+")
REDUCED = re.compile(r"(random:)?(?P<kind>\w+)(\(.+\))?")


def main(results: Path) -> None:
    """Score all conditions below ``results`` again."""
    conditions = []
    for folder in sorted(path.parent for path in results.glob("*/curve.csv")):
        conditions.append(judged(folder))
        write_json(folder / "agreement.json", as_json(conditions[-1].agreement))
        print(folder.name, flush=True)
    board = leaderboard(conditions)
    write_json(results / "leaderboard.json", as_json(board))
    write_text(results / "leaderboard.csv", standings_rows(board).csv())
    figure = leaderboard_figure(board)
    if figure is not None:
        save(figure, results / "leaderboard", (".png",))
    print(board.verdict)


def judged(folder: Path) -> Condition:
    """The condition of a folder with its agreement, the noise that it was published with."""
    condition = condition_of(folder)
    published = json.loads((folder / "agreement.json").read_text("utf-8"))
    found = agreement(condition)
    single = {name: of["spearman_one_training"] for name, of in published["predictors"].items()}
    single = {name: math.nan if value is None else value for name, value in single.items()}
    scores = {
        name: replace(score, spearman_one_training=single[name])
        for name, score in found.predictors.items()
    }
    found = replace(found, predictors=scores, noise=Noise(**published["noise"]))
    return replace(condition, agreement=replace(found, verdict=verdict(condition, found)))


def condition_of(folder: Path) -> Condition:
    """The points, predictors and accuracies of ``curve.csv``."""
    with (folder / "curve.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    facts = FOLDER.fullmatch(folder.name)
    assert facts is not None, folder
    points = tuple(map(_point, rows))
    names = list(rows[0])[list(rows[0]).index("code_shape") + 1 : list(rows[0]).index("minus_nmse")]
    size, model = facts["size"].replace("-", " "), facts["model"].replace("-x-", " x ")
    return Condition(
        name=f"{model} on {facts['data']} ({facts['classes']} classes), {size}, "
        f"seed {folder.name[-1]}",
        facts={"model": model, "data": facts["data"]},
        class_names=(),
        baseline_accuracy=float(rows[0]["baseline_accuracy"]),
        baseline_f1=(),
        test_images=1,  # the noise is not computed again
        points=points,
        retrained=tuple(_retrained(rows, points)),
        curves={name: _curve(name, rows, points) for name in names if _kind(name) in PREDICTORS},
    )


def _kind(name: str) -> str:
    """Of a column; one that the program no longer offers is left out."""
    found = REDUCED.fullmatch(name)
    assert found is not None, name
    return found["kind"]


def _curve(name: str, rows: list[dict[str, str]], points: tuple[SplitPoint, ...]) -> Curve:
    kind = _kind(name)
    smaller = [p for p in range(1, len(points)) if points[p].numel < points[p - 1].numel]
    values = tuple(float(row[name]) for row in rows)
    return Curve(kind, points, values, marked=tuple(smaller) if kind == "cde" else None)


def _point(row: dict[str, str]) -> SplitPoint:
    head, tail, params = (int(row[name]) for name in ("head_macs", "tail_macs", "head_params"))
    shape = tuple(map(int, row["shape"].split("x")))
    aliases = (row["label"],) if row["label"] != row["layer"] else ()
    return SplitPoint(int(row["index"]), row["layer"], shape, "", head, tail, params, aliases)


def _retrained(rows: list[dict[str, str]], points: tuple[SplitPoint, ...]) -> Iterator[Retrained]:
    """Each with one training that came to the mean of all."""
    for position, row in enumerate(rows):
        if row["accuracy"]:
            value = {name: float(row[name]) for name in (*MEASURED, "accuracy")}
            yield Retrained(position, (_result(points[position], value),))


def _result(point: SplitPoint, value: dict[str, Any]) -> Result:
    accuracy = Accuracy(0.0, value["after_autoencoder"], value["accuracy"], 1)
    split = ChosenSplit(point.name, point.index, point.shape, "", point.label)
    bottleneck = BottleneckResult(0.0, 0.0, (), -value["minus_nmse"])
    return Result(
        *(1, "", "", 0, 0, split, CurveValue("", 0.0, 1, 1), bottleneck, accuracy),
        *(PerClass((), (), ()), Cost(0, 0, 0, 0, 0, 0, 0), {}),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
