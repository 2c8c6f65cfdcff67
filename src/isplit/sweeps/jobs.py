"""The jobs that a multirun command stands for."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf

from isplit import config
from isplit.files import beginning
from isplit.keys import checked
from isplit.point import SplitPoint
from isplit.stages import fingerprint
from isplit.sweeps.points import layer_key, points_asked, points_of

LONGEST_NAME = 80  # bytes of a folder's name

Compose = Callable[[Sequence[str]], DictConfig]
"""From overrides to the config of the job that has them."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        overrides: what makes it, as on Hydra's command line.
        cfg: its config; where it writes is not known before it runs.
        name: of its folder, with its place in the sweep: ``03-block2_conv1``.
        varied: the overrides that not all jobs of the sweep have, by key.
    """

    overrides: tuple[str, ...]
    cfg: DictConfig
    name: str = ""
    varied: tuple[tuple[str, str], ...] = ()

    @property
    def fingerprint(self) -> str:
        """Of everything that decides its result."""
        return fingerprint(config.identity(self.cfg))


def jobs_of(commands: Sequence[Sequence[str]], compose: Compose) -> list[Job]:
    """The jobs of these commands, ``split.layer=all`` as one job for each admitted point.

    ``auto`` and ``peaks`` stay as they are: they need the trained baseline. A job that two commands
    stand for comes once. All is checked that can be before anything runs.

    Raises:
        ValueError: a job cannot work; the message begins with the overrides that are its own.
    """
    points: dict[str, list[SplitPoint]] = {}
    jobs: dict[str, Job] = {}
    for command in commands:
        try:
            for job in _expanded(tuple(command), compose(command), points):
                jobs.setdefault(job.fingerprint, job)
        except ValueError as error:
            own = [word for word in command if not all(word in other for other in commands)]
            raise ValueError(f"{' '.join(own)}: {error}" if own else str(error)) from error
    return _named(list(jobs.values()))


def _expanded(
    command: tuple[str, ...], cfg: DictConfig, points: dict[str, list[SplitPoint]]
) -> Iterator[Job]:
    """The jobs of one command; ``points`` remembers those of each model."""
    cfg = checked(cfg)
    among = (cfg.data.image_size, cfg.split.granularity, cfg.split.channels)
    model = json.dumps([config.plain(cfg.model), *among])
    if model not in points:
        points[model] = points_of(cfg)
    asked = points_asked(cfg, points[model])
    if cfg.split.layer != "all":
        yield Job(command, cfg)
        return
    others = tuple(word for word in command if not word.startswith("split.layer="))
    for layer in map(layer_key, asked):
        one = cfg.copy()
        OmegaConf.update(one, "split.layer", layer)
        yield Job((*others, f"split.layer={layer}"), one)


def _named(jobs: list[Job]) -> list[Job]:
    """The jobs with folder names that say in what they differ."""
    said = [dict(word.partition("=")[::2] for word in job.overrides) for job in jobs]
    keys = list(dict.fromkeys(key for words in said for key in words))
    varied = [key for key in keys if len({words.get(key) for words in said}) > 1]
    digits = max(2, len(str(len(jobs) - 1)))
    named = []
    for number, (job, words) in enumerate(zip(jobs, said, strict=True)):
        own = tuple((key, words[key]) for key in varied if key in words)
        shown = own or (("split.layer", str(job.cfg.split.layer)),)
        name = "-".join([f"{number:0{digits}d}", *(_slug(*pair) for pair in shown)])
        named.append(Job(job.overrides, job.cfg, beginning(name, LONGEST_NAME), own))
    return named


def _slug(key: str, value: str) -> str:
    """A value fit for a folder's name; a number says of what it is.

    >>> _slug("split.layer", "layer3.2"), _slug("seed", "1"), _slug("split.layer", "[auto, 3]")
    ('layer3.2', 'seed1', 'auto_3')
    """
    clean = re.sub(r"[^\w.]+", "_", value).strip("_")
    return f"{key.split('.')[-1]}{clean}" if clean[:1].isdigit() else clean
