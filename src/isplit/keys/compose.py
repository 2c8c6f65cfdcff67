"""The config of a command line; what Hydra refuses is said in one line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from isplit.keys.conf import every_key
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
            group, _, option = file.rpartition("/")
            known = [one for one in found if not one.startswith("_")]
            return f"{group}={option} is none of {', '.join(known)}{did_you_mean(option, known)}"
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
    return f"{key or words}: {text}"
