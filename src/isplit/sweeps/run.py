"""A sweep from its jobs to its summary; how the jobs are run is up to a launcher."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from isplit.runs.command import failure_in
from isplit.sweeps.jobs import Job, bring, finished_in, results_in
from isplit.sweeps.summary import Outcome, conclude

log = logging.getLogger(__name__)

Launch = Callable[[Sequence[Job]], Sequence[str]]
"""Runs jobs, each in a folder of its name; what stopped each, empty where nothing did."""


def run_sweep(jobs: Sequence[Job], launch: Launch, folder: Path, *, resume: bool) -> list[Outcome]:
    """What came of each job; those that are finished are not run again if ``resume``.

    However the launcher ends, by an exception of its own or by Ctrl-C too, what is on disk is
    summed up.

    Args:
        folder: of the sweep, where each job has a folder of its name.
    """
    before = {job.name: place for job in jobs if resume and (place := finished_in(job))}
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
        conclude(outcomes, folder)
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
