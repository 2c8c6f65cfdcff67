"""The config of a command line; what Hydra refuses is said in one line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from isplit.files import conf_folder
from isplit.keys.conf import every_key, groups
from isplit.keys.words import did_you_mean, no_key


def composed(name: str, words: Sequence[str], folder: str | Path) -> DictConfig:
    """The config ``name`` of a folder with these overrides.

    Raises:
        ValueError: there is no such key, group or option, or an override cannot be read.
    """
    for word in words:
        if word.startswith("~"):
            raise ValueError(f"{word}: a key can be changed, not taken away")
    with initialize_config_dir(str(folder), version_base="1.3"), one_line(words):
        return compose(name, list(words))


def single(words: Sequence[str]) -> list[str]:
    """The overrides that have one value, which are all that there may be without ``-m``."""
    with one_line(words):
        parsed = OverridesParser.create().parse_overrides(list(words))
    return [str(word.input_line) for word in parsed if not word.is_sweep_override()]


def own_choices(folder: str | Path | None) -> list[str]:
    """The override that adds a folder laid out as ``conf/`` to where choices are looked for.

    Raises:
        ValueError: there is no such folder, or a file of ``conf/`` would hide one of it.
    """
    if folder is None:
        return []
    own, shipped = Path(folder).absolute(), conf_folder()
    if not own.is_dir():
        raise ValueError(f"--config-dir={folder} is no folder")
    for path in sorted(shipped.rglob("*.yaml")):
        if (hidden := own / path.relative_to(shipped)).exists():
            raise ValueError(f"{hidden} has the name of a file of isplit: give it another one")
    url = f"file://{own}".replace("\\", "\\\\").replace("'", "\\'")
    return [f"hydra.searchpath=['{url}']"]


@contextmanager
def one_line(words: Sequence[str] = ()) -> Iterator[None]:
    """Turn what Hydra and OmegaConf raise into a ValueError of one line."""
    try:
        yield
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise ValueError(_explained(error, " ".join(words))) from error


def _explained(error: Exception, words: str) -> str:
    key = getattr(error.__cause__ or error, "full_key", None) or ""
    text = " ".join(str(error).partition("\n    full_key")[0].split())
    text = text.rpartition("raised while resolving interpolation: ")[2]
    match error:
        case MissingConfigException(missing_cfg_file=str(file), options=[*found]):
            above = (group for group in groups() if file.startswith(f"{group}/"))
            group = next(above, file.rpartition("/")[0])
            option = file.removeprefix(f"{group}/")
            known = [one for one in found if not one.startswith("_")]
            said = f"{group}={option} is none of {', '.join(known)}{did_you_mean(option, known)}"
            yours = f"; --config-dir=FOLDER finds your own FOLDER/{group}/{Path(option).name}"
            return said + (yours if option.endswith(".yaml") else "")
        case OverrideParseException():
            return f"{error.override}: cannot be read as key=value (text in quotes may help)"
        case MissingMandatoryValue():
            return f"{key} is not given: {every_key().get(key) or 'it has no value by itself'}"
    if text.startswith("Could not override") and key:
        key = text.split("'")[1]  # the full_key is that of a group of which nothing was chosen
        return f"{key} {no_key(key, every_key())}"
    if "multirun" in text:
        return (
            f"{text.split(chr(39))[1]} has several values: -m makes a job of each, [a,b] is a list"
        )
    return f"{key or words}: {text}" if key or words else text
