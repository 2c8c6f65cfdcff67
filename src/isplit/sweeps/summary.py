"""What came of each job of a sweep: on the screen, and as files for people and programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from isplit.files import csv_text, write_json, write_text
from isplit.sweeps.jobs import Job, read_result

SWEEP_SCHEMA = 1
FILE_WIDTH = 140  # characters of a table that goes to a file
SECTIONS = ("split", "curve", "bottleneck", "accuracy", "cost")

State = Literal["done", "done before", "failed", "not finished"]


@dataclass(frozen=True)
class Outcome:
    """What came of one job.

    Attributes:
        state: ``done before``: by an earlier command, now not run.
        results: folders that hold a result, one for each split point of the job.
        error: what stopped it, if something did.
    """

    job: Job
    state: State
    results: tuple[Path, ...] = ()
    error: str = ""


def conclude(outcomes: Sequence[Outcome], folder: Path) -> None:
    """The table on the screen and in ``results.txt``; ``results.csv`` and ``sweep.json``.

    Args:
        folder: of the sweep.
    """
    rows = [row for outcome in outcomes for row in _rows(outcome)]
    write_text(folder / "results.csv", _csv(rows))
    write_json(folder / "sweep.json", _document(outcomes, folder))
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH, record=True)
    console.print(_table(outcomes))
    for outcome in outcomes:
        if outcome.error:
            console.print(f"{outcome.job.name}: {outcome.error}", markup=False, highlight=False)
    write_text(folder / "results.txt", console.export_text())
    print(_last_words(outcomes, folder))  # noqa: T201


def _last_words(outcomes: Sequence[Outcome], folder: Path) -> str:
    """How many came to their end, and what to do next."""
    counted = [outcome.state for outcome in outcomes]
    states = [s for s in ("done", "done before", "failed", "not finished") if s in counted]
    lines = [f"{len(outcomes)} jobs: " + ", ".join(f"{counted.count(s)} {s}" for s in states)]
    if len(states) > len({"done", "done before"} & set(states)):
        lines.append("the same command again runs only what is not done")
    if any(outcome.results for outcome in outcomes):
        lines.append(f"compare them: python analyze.py runs={folder}")
    return "\n".join(lines)


def _rows(outcome: Outcome) -> list[dict[str, Any]]:
    """A row for each result of a job, or one that says why there is none."""
    first_line = outcome.error.partition("\n")[0]
    about = {"job": outcome.job.name, "state": outcome.state, "error": first_line}
    about |= dict(outcome.job.varied)
    return [about | _flat(place) for place in outcome.results] or [about]


def _flat(folder: Path) -> dict[str, Any]:
    """The single values of a result by ``section/name``."""
    result = read_result(folder)
    flat = {name: result[name] for name in ("model", "data", "seed")}
    for section in SECTIONS:
        values = result[section].items()
        flat |= {f"{section}/{k}": v for k, v in values if not isinstance(v, list | dict)}
    return flat | {"folder": str(folder)}


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return csv_text(names, ([row.get(name, "") for name in names] for row in rows))


def _document(outcomes: Sequence[Outcome], folder: Path) -> dict[str, Any]:
    jobs = [
        {
            "name": outcome.job.name,
            "overrides": list(outcome.job.overrides),
            "fingerprint": outcome.job.fingerprint,
            "state": outcome.state,
            "error": outcome.error,
            "results": [str(place) for place in outcome.results],
        }
        for outcome in outcomes
    ]
    return {"schema": SWEEP_SCHEMA, "folder": str(folder), "jobs": jobs}


def _table(outcomes: Sequence[Outcome]) -> Table:
    keys = [k for k in _varied_keys(outcomes) if k != "split.layer"]
    table = Table(caption="accuracy on the test images; bytes of one image's code as float32")
    for column in ("#", *keys, "split after"):
        table.add_column(column, overflow="fold")
    for column in ("rank", "unsplit", "autoencoder", "fine-tuned", "bytes"):
        table.add_column(column, justify="right")
    table.add_column("state")
    for outcome in outcomes:
        for row in _rows(outcome):
            number = outcome.job.name.partition("-")[0]
            table.add_row(number, *(row.get(key, "") for key in keys), *_cells(row, outcome))
    return table


def _varied_keys(outcomes: Sequence[Outcome]) -> list[str]:
    return list(dict.fromkeys(key for outcome in outcomes for key, _ in outcome.job.varied))


def _cells(row: dict[str, Any], outcome: Outcome) -> list[str]:
    """From ``split after`` on."""
    if "split/label" not in row:
        return [str(outcome.job.cfg.split.layer), "", "", "", "", "", outcome.state]
    return [
        row["split/label"],
        f"{row['curve/kind']} {row['curve/rank']} of {row['curve/num_points']}",
        f"{row['accuracy/baseline']:.3f}",
        f"{row['accuracy/after_autoencoder']:.3f}",
        f"{row['accuracy/after_finetune']:.3f}",
        f"{row['cost/payload_bytes']:,}",
        outcome.state,
    ]
