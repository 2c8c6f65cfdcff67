"""Words of Hydra's command line: ``key=value``, and what a text needs to be one."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

PLAIN = re.compile(r"[A-Za-z_/][\w./-]*")
OTHER_THAN_TEXT = ("null", "true", "false", "nan", "inf")  # in YAML and on Hydra's command line


def is_plain(text: str) -> bool:
    """Whether Hydra and YAML read the bare word back as this text."""
    return bool(PLAIN.fullmatch(text)) and text.lower() not in OTHER_THAN_TEXT


def quoted(text: str) -> str:
    r"""Text as Hydra reads it back.

    >>> print(quoted("A"), quoted("school bus"), quoted("true"))
    A "school bus" "true"
    >>> print(quoted("1"), quoted('the "big" one'))
    "1" "the \"big\" one"
    """
    escaped = text.replace('"', r"\"")
    return text if is_plain(text) else f'"{escaped}"'


def key_of(word: str) -> str:
    """What an override sets.

    >>> key_of("+data.classes=[a,b]")
    'data.classes'
    """
    return word.partition("=")[0].lstrip("+~")


def targets(values: Any, above: str = "") -> dict[str, str]:
    """What a config, or the words of a command, would have called by ``_target_``, by its key.

    >>> targets({"net": [{"_target_": "os.system"}], "seed": 0})
    {'net.0._target_': 'os.system'}
    """
    if above.split(".")[-1] == "_target_" or (isinstance(values, str) and "_target_" in values):
        return {above: str(values)}
    inside: Iterable[tuple[Any, Any]] = ()
    if isinstance(values, Mapping):
        inside = values.items()
    elif isinstance(values, list | tuple):
        inside = enumerate(values)
    found: dict[str, str] = {}
    for key, value in inside:
        found |= targets(value, f"{above}.{key}" if above else str(key))
    return found
