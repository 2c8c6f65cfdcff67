"""Words of the command line: ``key=value`` and what it sets; how a value and a mistake are said."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

PLAIN = re.compile(r"[A-Za-z_/][\w./-]*")
OTHER_THAN_TEXT = ("null", "true", "false", "nan", "inf")  # in YAML and on Hydra's command line


def spoken(value: Any) -> str:
    """A value as on the command line.

    >>> print(spoken(None), spoken([True, "A", "true", ""]), spoken({"a": 1}))
    null [true, A, 'true', ''] {a: 1}
    """
    match value:
        case None | bool():
            return str(value).lower().replace("none", "null")
        case "" | "null" | "true" | "false":
            return repr(value)
        case list():
            return f"[{', '.join(map(spoken, value))}]"
        case dict():
            return f"{{{', '.join(f'{key}: {spoken(one)}' for key, one in value.items())}}}"
    return str(value)


def did_you_mean(word: str, choices: Sequence[str]) -> str:
    """The choice that looks like the word, as the end of a sentence; empty if none does."""
    close = get_close_matches(word, choices, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def below(group: str, keys: Iterable[str]) -> list[str]:
    """The keys that a group holds, without its name."""
    return [key.removeprefix(f"{group}.") for key in keys if key.startswith(f"{group}.")]


def no_key(key: str, keys: Iterable[str]) -> str:
    """That there is no such key, and which one may have been meant.

    >>> no_key("split.layr", ["split.layer", "seed"])
    'is no key; did you mean split.layer?'
    """
    if held := below(key, keys):
        return f"is no key but holds some: {', '.join(held)}"
    if "." in key and key in [*keys]:
        return f"is no key of what was chosen for {key.partition('.')[0]}"
    same = [known for known in keys if known.endswith(f".{key.rpartition('.')[2]}")]
    leaves = {known.rpartition(".")[2]: known for known in keys}
    close = get_close_matches(key, [*keys, *leaves], n=1)
    meant = same or [leaves.get(one, one) for one in close]
    return "is no key" + (f"; did you mean {' or '.join(meant)}?" if meant else "")


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
