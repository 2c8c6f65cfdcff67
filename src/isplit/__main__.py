"""The command ``isplit``.

isplit train [key=value ...]      choose a split point, train the bottleneck, say what it costs
isplit analyze [key=value ...]    what the runs of train say together
isplit points MODEL               the split points of a classifier of torchvision, or of model=...
isplit export RUN                 a finished run as files for a device and a server
isplit serve EXPORT               the server's half of these files

train --help and analyze --help list every key; export --help and serve --help their options.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra import version
from hydra._internal.utils import _run_hydra, get_args_parser
from omegaconf import DictConfig

from isplit.keys import architecture, checked, composed, conf_folder, help_of, own_choices, single
from isplit.report.text import printable


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status."""
    match list(sys.argv[1:] if arguments is None else arguments):
        case ["train" | "analyze" as job, *words]:
            return _hydra(job, words)
        case ["points", *words]:
            from isplit.sweeps.points import main as points

            return points(words)
        case ["export" | "serve", *_] as words:
            from isplit.deploy.__main__ import main as deploy

            return deploy(words)
        case [*words]:
            asked = words in (["-h"], ["--help"])
            print(__doc__, file=sys.stdout if asked else sys.stderr)
            return 0 if asked else 2


def train(cfg: DictConfig) -> None:
    """Run one job."""
    from isplit import runs

    runs.command(runs.train, cfg)


def analyze(cfg: DictConfig) -> None:
    """Run one analysis."""
    from isplit import runs

    runs.command(runs.analyze, cfg)


def _hydra(job: str, words: list[str]) -> int:
    """The command as Hydra runs it; what cannot work is refused before, and before torch is there.

    Hydra's own entry reads the words from ``sys.argv``, which the processes that Lightning starts
    need as it is.
    """
    version.setbase("1.3")
    parser = get_args_parser()
    given = parser.parse_intermixed_args(words)
    given.config_path = str(Path(given.config_path or conf_folder()).absolute())
    asks_hydra = given.hydra_help or given.info or given.shell_completion
    several = given.multirun or "hydra.mode=MULTIRUN" in given.overrides
    try:
        words = single(given.overrides) if several else given.overrides
        words = [*words, *own_choices(given.config_dir)]
        cfg = None if asks_hydra else composed(given.config_name or job, words, given.config_path)
        if cfg is not None and given.help:
            print(help_of(job, cfg, given.config_dir))
            return 0
        if cfg is not None and not (several or given.cfg):
            _begin(job, checked(cfg))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    task = {"train": train, "analyze": analyze}[job]
    _run_hydra(given, parser, task, given.config_path, job)
    return 0


def _begin(job: str, cfg: DictConfig) -> None:
    """Say what the command is about while torch, which takes seconds, is still to be imported."""
    if any(os.environ.get(rank, "0") != "0" for rank in ("RANK", "LOCAL_RANK", "SLURM_PROCID")):
        return  # one of the processes of a job says it for all
    is_train = job == "train"
    about = f"{architecture(cfg)} on {cfg.data.name}" if is_train else f"study of {cfg.study.name}"
    print(printable(about), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
