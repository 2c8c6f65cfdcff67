"""What came of each job of a sweep: on the screen, and as files for people and programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from isplit.files import write_json, write_text
from isplit.report.findings import Findings
from isplit.report.screen import say
from isplit.report.table import Column, Table
from isplit.result import single_values
from isplit.sweeps.jobs import Job, read_result

SWEEP_SCHEMA = 1
COLUMNS = (
    Column("split/label", "split after", screen=1),
    Column("rank", screen=6),
    Column("accuracy/baseline", "unsplit", form=".3f", screen=2),
    Column("accuracy/after_autoencoder", "after autoencoder", form=".3f", screen=5),
    Column("accuracy/after_finetune", "fine-tuned", form=".3f", screen=2),
    Column("accuracy/with_codec", "with codec", form=".3f", screen=2),
    Column("cost/payload_bytes", "bytes", form=",d", screen=3),
    Column("state", screen=1),
)

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
    write_text(folder / "results.csv", Table.of_rows("results", rows).csv())
    write_json(folder / "sweep.json", _document(outcomes, folder))
    errors = [f"{o.job.name}: {o.error}" for o in outcomes if o.error]
    found = Findings("sweep", verdict="\n".join(errors), tables=[_table(outcomes)])
    write_text(folder / "results.txt", say(found))
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
    found = [(single_values(read_result(place)), place) for place in outcome.results]
    return [about | values | {"folder": str(place)} for values, place in found] or [about]


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
    columns = [Column("#", screen=1), *(Column(key, screen=4) for key in keys), *COLUMNS]
    note = "accuracy on the test images; bytes of one image, as sent"
    rows = [
        row | {"#": outcome.job.name.partition("-")[0]} | _shown(row, outcome)
        for outcome in outcomes
        for row in _rows(outcome)
    ]
    return Table(f"{len(outcomes)} jobs", columns, rows, note, on_screen=True)


def _varied_keys(outcomes: Sequence[Outcome]) -> list[str]:
    return list(dict.fromkeys(key for outcome in outcomes for key, _ in outcome.job.varied))


def _shown(row: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    """What the table says otherwise than the file."""
    if "split/label" not in row:
        return {"split/label": str(outcome.job.cfg.split.layer)}
    rank = f"{row['curve/kind']} {row['curve/rank']} of {row['curve/num_points']}"
    return {"rank": rank}
