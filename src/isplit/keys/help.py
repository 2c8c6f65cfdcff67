"""What ``--help`` says: the comments of ``conf/``, beside the values that a command would have."""

from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from isplit.files import conf_folder
from isplit.keys.check import given, keys_of
from isplit.keys.conf import options
from isplit.keys.words import spoken

LONGEST = 60  # characters of a value: the rest is cut off
MORE = """
-m makes a job of each of several values (seed=0,1). --config-dir=FOLDER finds files of your own.
--cfg job prints the config, --hydra-help what Hydra takes besides.
"""


def help_of(name: str, cfg: DictConfig, own: str | Path | None = None) -> str:
    """What ``name.yaml`` is for, the files that can be chosen, and every key of the config.

    ``own``: a folder with more files to choose from.
    """
    text = (conf_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    comments = takewhile(lambda line: line[:1] == "#", text.splitlines())
    about = "\n".join(line.lstrip("# ") for line in comments)
    defaults = [one for one in yaml.safe_load(text)["defaults"] if isinstance(one, dict)]
    files = [
        _files(group, own, optional=file is None)
        for one in [*defaults, {"hydra/launcher": ""}]
        for group, file in one.items()
        if not group.startswith("override")
    ]
    raw: Any = OmegaConf.to_container(cfg, resolve=False)
    keys = keys_of(raw)
    lines = [f"  {key}={_short(value)}  # {keys.get(key, '')}" for key, value in given(raw, keys)]
    return "\n".join([about, *(part for part in files if part), "\nkey=value:", *lines, MORE])


def _files(group: str, own: str | Path | None, optional: bool) -> str:
    """The files of a group with their titles; empty where there is no choice."""
    titles = {name: option.title for name, option in options(group).items()}
    yours = sorted(Path(own, group).glob("[!_]*.yaml")) if own else []
    titles |= {path.stem: f"yours: {path}" for path in yours}
    lines = [f"  {group}={name}".ljust(32) + title for name, title in titles.items()]
    return "\n".join(["", *lines]) if len(lines) > 1 or optional else ""


def _short(value: Any) -> str:
    text = spoken(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
