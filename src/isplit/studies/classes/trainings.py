"""The trainings of subsets of classes: which runs they are, and the sweep that makes them."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from isplit.documents import read_text
from isplit.keys.words import key_of, quoted, targets
from isplit.studies.classes.proposal import Proposal, Subset
from isplit.studies.run_folder import PLACES, RECIPE, Run, job_folder

OVERRIDES = Path(".hydra", "overrides.yaml")  # what the user typed, as Hydra leaves it


def is_part_of(part: Run, whole: Run) -> bool:
    """Whether ``part`` is on some of the classes of ``whole``, in all else the same."""
    classes = class_names(part)
    fewer = set(classes) < set(class_names(whole))
    return fewer and _recipe(part, classes) == _recipe(whole, classes)


def class_names(run: Run) -> tuple[str, ...]:
    """Of the run's data set, in its order."""
    return run.result.per_class.class_names


def trainings(
    whole: Run, subset: Subset, position: int, runs: Sequence[Run], repeats: int
) -> list[Run]:
    """The runs on these classes at this point, in all else as ``whole``, one for each repeat."""
    made = {
        run.config["repeat"]: run
        for run in runs
        if class_names(run) == subset.classes
        and run.result.split.index == position
        and is_part_of(run, whole)
    }
    return [made[repeat] for repeat in range(repeats) if repeat in made]


def sweep_of(whole: Run, proposal: Proposal, repeats: int) -> tuple[str, tuple[str, ...]]:
    """The one command that trains both splits on both subsets; or nothing, and why.

    It repeats the words of the command that made ``whole``. Those of another's folder may say
    anything, so a word that could run code, or choose another config, makes no command.
    """
    path = job_folder(whole.folder) / OVERRIDES
    if whole.config["data"].get("groups"):
        return "", ("no command: data.groups, and no override chooses from groups",)
    try:
        words = [*(yaml.safe_load(read_text(path)) or ())]
    except (ValueError, TypeError, yaml.YAMLError) as error:  # what is in a folder may be anything
        return "", (f"no command: what made the job is not known, {path.parent}: {error}",)
    unsafe = [str(word) for word in words if not _is_safe(word)] or [*targets(whole.config)]
    if unsafe:
        return "", (f"no command: {unsafe[0]} could run code, so write the sweep by hand",)
    chosen = [f"[{','.join(map(quoted, subset.classes))}]" for subset in proposal.subsets]
    own = {
        "data.classes": ",".join(chosen),
        "split.layer": ",".join(quoted(whole.curve.points[p].label) for p in proposal.splits),
        "repeat": ",".join(map(str, range(repeats))),
    }
    kept = [word for word in words if key_of(word) not in own]
    sweep = [*kept, *(f"{key}={value}" for key, value in own.items())]
    return " ".join(["python train.py -m", *map(shlex.quote, sweep)]), ()


def _is_safe(word: Any) -> bool:
    """Whether a word sets a value and nothing else: no target, no config of elsewhere."""
    if not isinstance(word, str) or word.startswith("-"):
        return False
    return "_target_" not in word and "${" not in word and not key_of(word).startswith("hydra")


def _recipe(run: Run, classes: Sequence[str]) -> str:
    """All that decides a training on these classes but the split."""
    data = {key: value for key, value in run.config["data"].items() if key not in PLACES}
    groups = data.get("groups")
    members = groups and {name: groups.get(name) for name in classes}
    known = {key: run.config[key] for key in RECIPE}
    data |= {"classes": list(classes), "groups": members}
    return json.dumps([known, data, run.config["split"]["granularity"]], sort_keys=True)
