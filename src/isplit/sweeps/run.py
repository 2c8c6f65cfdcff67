"""A sweep from its jobs to what came of each; how the jobs are run is up to a launcher."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from isplit.files import write_json, write_text
from isplit.report.findings import Findings
from isplit.report.screen import say
from isplit.report.table import Column, Table, columns_of
from isplit.result import single_values
from isplit.runs.command import failure_in
from isplit.sweeps.earlier import bring, done_before, finished_in, read_result, results_in
from isplit.sweeps.jobs import Job

log = logging.getLogger(__name__)

SWEEP_SCHEMA = 1
NOTE = "accuracy on the test images; bytes of one image, as sent"

Launch = Callable[[Sequence[Job]], Sequence[str]]
"""Runs jobs, each in a folder of its name; what stopped each, empty where nothing did."""

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


def run_sweep(jobs: Sequence[Job], launch: Launch, folder: Path, *, resume: bool) -> list[Outcome]:
    """What came of each job; those that are finished are not run again if ``resume``.

    However the launcher ends, by an exception of its own or by Ctrl-C too, what is on disk is
    summed up: in a table on the screen and in ``results.txt``, in ``results.csv`` and
    ``sweep.json``.

    Args:
        folder: of the sweep, where each job has a folder of its name.
    """
    before = done_before(jobs, folder) if resume else {}
    for name, place in before.items():
        bring(place, folder / name)
    todo = [job for job in jobs if job.name not in before]
    log.info("%d jobs, %d of them done before, in %s", len(jobs), len(before), folder)
    errors: dict[str, str] = {}
    gave_up = ""
    try:
        if todo:
            errors = dict(zip([job.name for job in todo], launch(todo), strict=True))
    except Exception as error:  # a worker that was killed, a queue that refuses
        gave_up = f"the launcher gave up: {error or type(error).__name__}"
    finally:
        outcomes = [_outcome(job, job.name in before, errors, gave_up, folder) for job in jobs]
        _conclude(outcomes, folder)
    return outcomes


def _outcome(
    job: Job, was_before: bool, errors: Mapping[str, str], gave_up: str, folder: Path
) -> Outcome:
    """What the job left on disk, and what the launcher says of it."""
    place = folder / job.name
    if was_before:
        return Outcome(job, "done before", results_in(place))
    if error := failure_in(place) or errors.get(job.name, ""):
        return Outcome(job, "failed", (), error)
    finished = finished_in(job)
    if finished is None or not (job.name in errors or finished == place):
        return Outcome(job, "not finished", (), gave_up)
    return Outcome(job, "done", results_in(finished))


def _conclude(outcomes: Sequence[Outcome], folder: Path) -> None:
    """The table on the screen, and the files of the sweep."""
    rows = [(outcome, row) for outcome in outcomes for row in _rows(outcome)]
    write_text(folder / "results.csv", Table.of_rows("results", [row for _, row in rows]).csv())
    jobs = [_document(outcome) for outcome in outcomes]
    write_json(folder / "sweep.json", {"schema": SWEEP_SCHEMA, "folder": str(folder), "jobs": jobs})
    varied = dict.fromkeys(key for outcome in outcomes for key, _ in outcome.job.varied)
    keys = ["#", *(key for key in varied if key != "split.layer")]
    columns = [*(Column(key, screen=1 if key == "#" else 4) for key in keys), *columns_of("sweep")]
    shown = [row | _shown(row, outcome) for outcome, row in rows]
    table = Table(f"{len(outcomes)} jobs", columns, shown, NOTE, on_screen=True)
    errors = [f"{o.job.name}: {o.error}" for o in outcomes if o.error]
    found = Findings("sweep", verdict="\n".join(errors), tables=[table])
    write_text(folder / "results.txt", say(found))
    print(_last_words(outcomes, folder))  # noqa: T201


def _rows(outcome: Outcome) -> list[dict[str, Any]]:
    """A row for each result of a job, or one that says why there is none."""
    first_line = outcome.error.partition("\n")[0]
    about = {"job": outcome.job.name, "state": outcome.state, "error": first_line}
    found = [(single_values(read_result(place)), place) for place in outcome.results]
    said = dict(outcome.job.varied)  # before what a result calls alike: data, model, seed
    return [about | values | said | {"folder": str(place)} for values, place in found] or [
        about | said
    ]


def _document(outcome: Outcome) -> dict[str, Any]:
    job = outcome.job
    about = {"name": job.name, "overrides": list(job.overrides), "fingerprint": job.fingerprint}
    results = [str(place) for place in outcome.results]
    return about | {"state": outcome.state, "error": outcome.error, "results": results}


def _shown(row: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    """What the table says otherwise than the file."""
    number = {"#": outcome.job.name.partition("-")[0]}
    if "split/label" not in row:
        return number | {"split/label": str(outcome.job.cfg.split.layer)}
    return number | {
        "rank": f"{row['curve/kind']} {row['curve/rank']} of {row['curve/num_points']}"
    }


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
