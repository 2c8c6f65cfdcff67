"""One training of one subset of classes with one split: found, run here, or as a command."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from isplit import config
from isplit.analysis.classes import Subset
from isplit.analysis.collect import Run, collect, job_folder
from isplit.analysis.conditions import slug
from isplit.documents import read_yaml
from isplit.importance import CuiSettings
from isplit.overrides import key_of, quoted
from isplit.runs.reopened import merged, own_places, refuse_code, targets_in
from isplit.runs.train import train

RECIPE = ("model", "bottleneck", "stage", "seed")  # with the data, what a training is
PLACES = ("cache_dir", "root", "memory_gb", "num_workers", "download")  # of the data: not what
OVERRIDES = Path(".hydra", "overrides.yaml")  # what the user typed, as Hydra leaves it


@dataclass(frozen=True, eq=False)  # told apart by identity: a run has no hash
class SubsetJob:
    """Both its net and its bottleneck see nothing but the images of the subset's classes.

    Attributes:
        whole: a run on all classes; model, data, rate and recipe are its own.
        number: of the subset, from 1.
        position: of the split point.
        repeat: as the key of ``train.py``: 1, 2 ... train again on the same baseline.
    """

    whole: Run
    subset: Subset
    number: int
    position: int
    repeat: int = 0

    @property
    def label(self) -> str:
        """Of the split point."""
        return self.whole.curve.points[self.position].label

    @property
    def name(self) -> str:
        """Of its folder."""
        again = f"-repeat-{self.repeat}" if self.repeat else ""
        return f"subset-{self.number}-{slug(self.label)}{again}"

    def found_in(self, runs: Iterable[Run]) -> Run | None:
        """The run that is this training, if it is among the finished ones."""
        wanted = (recipe(self.whole, self.subset.classes), self.position, self.repeat)
        for run in runs:
            about = (recipe(run), run.result.split.index, run.config.get("repeat", 0))
            if about == wanted:
                return run
        return None

    def run_in(self, folder: Path, cfg: DictConfig) -> Run:
        """Train it, reusing what the store has, and read it back.

        Args:
            cfg: of the study: its store, threads and place of the images.

        Raises:
            ValueError: what ``train`` refuses; code that nobody vouches for.
        """
        refuse_code(cfg, self.whole)
        train(self._config(folder, cfg))
        (run,) = collect([folder]).runs
        return run

    def command(self, folder: Path, *, allow_code: bool = False) -> str:
        """The command that trains it, for a shell, in the words of the one that made ``whole``.

        Without these (the job was no command) it begins from the config that the job left.

        Raises:
            ValueError: the classes are groups, which no override can choose from; the words are
                not those of a command, or would have code called.
        """
        if self.whole.config["data"].get("groups"):
            raise ValueError("data.groups: no command chooses from groups, study.run=true does")
        own = {
            "data.classes": f"[{','.join(map(quoted, self.subset.classes))}]",
            "split.layer": quoted(self.label),
            "repeat": str(self.repeat),
            "hydra.run.dir": quoted(str(folder)),
        }
        job = job_folder(self.whole.folder)
        if (job / OVERRIDES).exists():
            words = said_by(job / OVERRIDES)
            words = [word for word in words if key_of(word) not in own]
            found = targets_in(words)
        else:
            words = [f"--config-path={job.absolute()}", "--config-name=config"]
            own |= {"paths.output": own["hydra.run.dir"]}
            found = targets_in(self.whole.config)
        if found and not allow_code:
            raise ValueError(
                f"{', '.join(found)}: no command that calls this is made of a run's folder; "
                "study.allow_code=true makes it"
            )
        words += [f"{key}={value}" for key, value in own.items() if value != "0"]
        return " ".join(["python train.py", *map(shlex.quote, words)])

    def _config(self, folder: Path, cfg: DictConfig) -> DictConfig:
        job = OmegaConf.create(json.loads(json.dumps(self.whole.config)))
        groups = self.whole.config["data"].get("groups")
        if groups:
            job.data.groups = {name: groups[name] for name in self.subset.classes}
        else:
            job.data.classes = list(self.subset.classes)
        job.logger = config.plain(cfg.logger) | {"mode": "disabled", "extra": {}}
        here = {
            "split": {
                "layer": self.label,
                "kind": "cui",
                "classes": None,
                "cui": asdict(CuiSettings()),
            },
            "repeat": self.repeat,
            "paths": {"output": str(folder)},
            "trainer": {"progress": "lines"},
        }
        return merged(merged(job, own_places(cfg)), here)


def recipe(run: Run, classes: Sequence[str] | None = None) -> str:
    """All that decides a training but the split: the same for the same model, data and stages.

    Args:
        classes: what would be trained instead of the run's own classes.
    """
    data = {key: value for key, value in run.config["data"].items() if key not in PLACES}
    data |= {"classes": list(classes or class_names(run)), "groups": _members(run, classes)}
    known = {key: run.config[key] for key in RECIPE}
    granularity = run.config["split"]["granularity"]
    return json.dumps([known, data, granularity], sort_keys=True)


def said_by(path: Path) -> list[str]:
    """The words of the command that made a job, as Hydra left them.

    Raises:
        ValueError: they are not words that set a key of ``train.py``.
    """
    words = read_yaml(path)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{path.name} is no list of words")
    for word in words:
        if "=" not in word.lstrip("~") or key_of(word).startswith(("-", "hydra")):
            raise ValueError(f"{path.name}: {word!r} sets no key of train.py")
    return words


def class_names(run: Run) -> tuple[str, ...]:
    """Of the run's data set, in its order."""
    return run.result.per_class.class_names


def is_part_of(part: Run, whole: Run) -> bool:
    """Whether ``part`` is on some of the classes of ``whole``, in all else the same."""
    fewer = set(class_names(part)) < set(class_names(whole))
    return fewer and recipe(part) == recipe(whole, class_names(part))


def _members(run: Run, classes: Sequence[str] | None) -> Mapping[str, Any] | None:
    groups = run.config["data"].get("groups")
    return groups and {name: groups.get(name) for name in classes or class_names(run)}
