"""How a value and a mistake are put into words."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any


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
