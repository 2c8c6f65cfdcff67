"""What jobs left behind, read back: runs, and the conditions they fall into."""

import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from isplit.studies.naming import names_of
from isplit.studies.run_folder import Run, read_config, read_run

__all__ = ["Collection", "Run", "by_condition", "collect", "grouped", "why"]

T = TypeVar("T")
K = TypeVar("K")

FILE = "result.json"
DEEPEST = 20  # folders below those that were named
LONGEST_REASON = 300  # characters
LATER = "is a later training of the same split and repeat, with other code"
MIXED = "not left out, but not all of its splits were trained by the same code of isplit"
LINK = "a link to a folder, which is not followed: name it in runs itself"
OF_WANDB = "latest-run"  # a link in its own folder
UNFINISHED = "the job has not finished (what it finished counts)"


@dataclass(frozen=True)
class Collection:
    """The runs that could be read, and what was left out, with the reason."""

    runs: tuple[Run, ...]
    left_out: tuple[str, ...]


def collect(folders: Iterable[Path]) -> Collection:
    """Every finished run below the folders, at any depth; one that was made twice counts once.

    What cannot be read is named with its reason, and so are the jobs that have not come to their
    end. Hidden folders are not looked into.

    Raises:
        FileNotFoundError: a folder is not there.
    """
    runs: dict[tuple[str, int, int], Run] = {}
    left_out: list[str] = []
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"runs={folder} is not a folder: name one that train.py wrote")
        below = sorted(_below(folder, left_out))
        for place in (path.parent for path in below if path.name == FILE):
            try:
                run = read_run(place)
            except Exception as error:  # whatever is in a folder, the others go on
                left_out.append(f"{place}: {_reason(error)}")
            else:
                key = _training(run)
                both = (runs.get(key, run), run)
                older, runs[key] = sorted(both, key=lambda of: (of.folder / FILE).stat().st_mtime)
                if _stages(older) != _stages(runs[key]):
                    left_out.append(f"{older.folder}: {runs[key].folder} {LATER}")
        left_out += [f"{path.parent}: {UNFINISHED}" for path in filter(_is_unfinished, below)]
    left_out += _of_several_codes(runs.values())
    return Collection(tuple(runs.values()), tuple(dict.fromkeys(left_out)))


def by_condition(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """The runs that differ in the split point and in nothing but repeats, under a name each.

    A condition is one baseline, one way to compress and one way to train; the name says model,
    data, compression and seed, and whatever else sets conditions apart. Its runs are in the order
    of split points and repeats, whatever their folders are called.
    """
    groups = [sorted(same, key=_training) for same in grouped(runs, _key).values()]
    return dict(zip(names_of([same[0] for same in groups]), groups, strict=True))


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """The items by their key, in the order in which they come up."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def why(error: Exception) -> str:
    """The reason in words, with its kind where it is not one that is expected."""
    expected = isinstance(error, ValueError | OSError)
    return str(error) if expected else f"{type(error).__name__}: {error}"


def _below(folder: Path, left_out: list[str]) -> Iterable[Path]:
    """The files of jobs below a folder; ``left_out`` learns of folders that are not looked into."""

    def unlisted(error: OSError) -> None:
        left_out.append(f"{error.filename}: {_reason(error)}")

    for place, folders, files in os.walk(folder, onerror=unlisted):
        here = Path(place)
        deep = len(here.parts) - len(folder.parts) >= DEEPEST
        folders[:] = [] if deep else [name for name in folders if not name.startswith(".")]
        linked = (here / name for name in folders if name != OF_WANDB)
        left_out += [f"{path}: {LINK}" for path in linked if path.is_symlink()]
        yield from (here / name for name in (FILE, "config.yaml") if name in files)


def _reason(error: Exception) -> str:
    return " ".join(why(error).split())[:LONGEST_REASON]


def _is_unfinished(path: Path) -> bool:
    """Whether it is the config of a job, which an analysis is not, that has not come to its end."""
    if path.name == "config.yaml" and not (path.parent / "results.txt").exists():
        with suppress(OSError, ValueError):
            read_config(path.parent)
            return True
    return False


def _training(run: Run) -> tuple[str, int, int]:
    """Which of a condition's trainings it is."""
    return _key(run), run.result.split.index, run.config["repeat"]


def _of_several_codes(runs: Iterable[Run]) -> Iterable[str]:
    """The conditions in which not all was trained by the same source, with an example of each."""
    for name, same in by_condition(runs).items():
        by_code = grouped(same, lambda run: tuple(s.code for s in run.result.stages.values()))
        if len(by_code) > 1:
            each = ", ".join(f"{len(alike)} as in {alike[0].folder}" for alike in by_code.values())
            yield f"{name}: {MIXED} ({each})"


def _stages(run: Run) -> list[str]:
    """What makes two results the same."""
    return [stage.fingerprint for stage in run.result.stages.values()]


def _key(run: Run) -> str:
    """Everything that two runs of one condition have in common."""
    stage = {name: run.config["stage"][name] for name in ("autoencoder", "finetune")}
    trained = [run.config["bottleneck"], stage] if "finetune" in run.result.stages else None
    common = [run.result.stages["baseline"].fingerprint, trained, run.config["codec"]]
    return json.dumps([*common, [point.node for point in run.curve.points]], sort_keys=True)
