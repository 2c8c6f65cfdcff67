"""A W&B sweep file: the jobs of a multirun command, for W&B's agents to run."""

import math
import re
from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, QuotedString
from hydra.errors import HydraException

from isplit import config
from isplit.sweeps.jobs import Compose, Job, jobs_of

METHODS = ("grid", "random", "bayes")
OUTCOME = "accuracy/final"  # of a run that came to its end
PROGRESS = "finetune/val_accuracy"  # after each epoch, for who stops the hopeless
ENDS = ("start", "end")  # of an interval
PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")  # what W&B's schema takes for a name
OF_EACH_RUN = "hydra.run.dir"
FOLDER = OF_EACH_RUN + "=${paths.root}/sweeps/${oc.env:WANDB_SWEEP_ID}/${oc.env:WANDB_RUN_ID}"
"""A folder for each run: two agents may start in the same second."""

Document = dict[str, Any]


def sweep_file(
    words: Sequence[str],
    compose: Compose,
    *,
    name: str | None = None,
    method: str = "grid",
    metric: str | None = None,
    hyperband: int | None = None,
) -> Document:
    """The content of a sweep file for the jobs that ``python train.py -m`` makes of these words.

    What varies becomes a parameter with the values of the jobs, split points included; what does
    not stands in the command as it was typed. ``interval(a, b)`` becomes a range to draw from.

    Args:
        words: overrides; without ``split.layer`` among them every split point is meant.
        compose: from overrides to the config of a job.
        name: of the sweep; ``None``: that of the model.
        method: one of ``METHODS``.
        metric: what W&B maximises; ``None``: the accuracy of the fine-tuned split model.
        hyperband: fine-tuning epochs before W&B first stops the worst runs; ``None``: never.

    Raises:
        ValueError: a job cannot work; the jobs are not all combinations of some values; a value
            would not reach Hydra as it is; an interval in a grid; an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"--method {method} is none of {', '.join(METHODS)}")
    if hyperband is not None and hyperband < 1:
        raise ValueError(f"--hyperband {hyperband} is no number of epochs from 1 up")
    intervals, jobs = _jobs(words, compose, method)
    kept, varied = _values(jobs)
    if OF_EACH_RUN in kept | varied:
        raise ValueError(f"{OF_EACH_RUN}: each run has a folder of its own below paths.root")
    grid = {key: {"values": [_value(key, t) for t in texts]} for key, texts in varied.items()}
    ranges = {key: _range(key, interval) for key, interval in intervals.items()}
    if not grid | ranges:
        raise ValueError(f"{' '.join(words)}: nothing varies; that is a job and not a sweep")
    fixed = [f"{key}={text}" for key, text in kept.items() if key not in ranges]
    document = {
        "name": name or f"{config.architecture(jobs[0].cfg)}_every_point",
        "project": jobs[0].cfg.logger.project,
        "program": "train.py",
        "method": method,
        "metric": {"name": metric or (PROGRESS if hyperband else OUTCOME), "goal": "maximize"},
        "command": ["${env}", "${interpreter}", "${program}", FOLDER, *fixed, "${args_no_hyphens}"],
        "parameters": grid | ranges,
    }
    stop = {"early_terminate": {"type": "hyperband", "min_iter": hyperband}} if hyperband else {}
    return document | stop


def runs_of(document: Document) -> int | None:
    """How many runs the sweep has; ``None`` where W&B draws without end."""
    if document["method"] != "grid":
        return None
    return math.prod(len(one["values"]) for one in document["parameters"].values())


def _jobs(
    words: Sequence[str], compose: Compose, method: str
) -> tuple[dict[str, IntervalSweep], list[Job]]:
    """The intervals by key; the jobs, each with the lower end of every interval.

    Those with the upper ends are checked too.
    """
    places = any(word.startswith("split.layer=") for word in words)
    overrides = OverridesParser.create().parse_overrides(
        [*words] if places else [*words, "split.layer=all"]
    )
    values = {one.get_key_element(): one.value() for one in overrides}
    intervals = {key: v for key, v in values.items() if isinstance(v, IntervalSweep)}
    if intervals and method == "grid":
        raise ValueError(f"{next(iter(intervals))}: a grid has no intervals; list its values")
    listed = [one for one in overrides if one.get_key_element() not in intervals]
    (commands,) = BasicSweeper.split_arguments(listed, max_batch_size=None)
    for end in reversed(ENDS) if intervals else ENDS[:1]:
        at = [f"{key}={getattr(interval, end)}" for key, interval in intervals.items()]
        jobs = jobs_of([[*command, *at] for command in commands], compose)
    return intervals, jobs


def _values(jobs: Sequence[Job]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The overrides that all jobs share, and the values of those that vary; both by key."""
    said = [dict(word.split("=", 1) for word in job.overrides) for job in jobs]
    values = {key: list(dict.fromkeys(one[key] for one in said)) for key in said[0]}
    varied = {key: texts for key, texts in values.items() if len(texts) > 1}
    combinations = math.prod(map(len, varied.values()))
    if combinations != len(jobs):
        raise ValueError(
            f"{len(jobs)} jobs, but {combinations} combinations of {', '.join(varied)}: split "
            "points differ between models, so make a file for each"
        )
    return {key: texts[0] for key, texts in values.items() if key not in varied}, varied


def _value(key: str, text: str) -> Any:
    """A value as YAML has it, if W&B's agents hand it on so that Hydra reads the same again."""
    parser = OverridesParser.create()
    value = _unquoted(parser.parse_override(f"{key}={text}").value())
    try:
        read = _unquoted(parser.parse_override(f"{key}={value}").value())
    except HydraException:
        read = None
    if not PARAMETER.fullmatch(key):
        raise ValueError(f"{key}={text}: W&B has no parameter of that name; leave {key[0]} away")
    if value is None or read != value:
        raise ValueError(
            f"{key}={text} cannot vary in a W&B sweep: an agent would say {key}={value}, which "
            "means something else"
        )
    return value


def _unquoted(value: Any) -> Any:
    return value.text if isinstance(value, QuotedString) else value


def _range(key: str, interval: IntervalSweep) -> Document:
    low, high = (getattr(interval, end) for end in ENDS)
    is_log = "log" in interval.tags
    if not (0 if is_log else -math.inf) < low < high:
        said = f"{key}=interval({low:g},{high:g})"
        raise ValueError(f"{said}: from the lower to the higher end{', above 0' * is_log}")
    ends: Document = {"min": low, "max": high}
    return ends | ({"distribution": "log_uniform_values"} if is_log else {})
