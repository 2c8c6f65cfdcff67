"""Text that others chose, safe to show: on a terminal, in a figure, in CSV."""

import math
import unicodedata
from collections.abc import Iterable
from typing import Any

from isplit import files

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
UNSEEN = ("Cc", "Cs", "Cn", "Co", "Zl", "Zp")  # control, half a pair, no character, line ends
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
FORMULA = "=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH COMMERCIAL AT}"


def printable(text: str, kept: str = "") -> str:
    r"""The text with every control character replaced, those that turn the writing round too.

    >>> printable("a\x1b[2Jb\n")
    'a�[2Jb�'

    Args:
        kept: control characters that stay, as line ends where a text has several lines.
    """
    return "".join(REPLACEMENT if c not in kept and _is_unseen(c) else c for c in text)


def csv_text(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table as CSV: numbers in full, nothing for what is missing or not finite, text as text.

    A text that a spreadsheet would take for a formula begins with an apostrophe, and so does one
    that began with an apostrophe: taking one apostrophe off gives every text back. Numbers stay.

    >>> print(csv_text(["layer", "accuracy"], [["block1, pool", 0.5], ["=1+1", -0.5]]), end="")
    layer,accuracy
    "block1, pool",0.5
    '=1+1,-0.5
    """
    return files.csv_text(map(_cell, names), (map(_cell, row) for row in rows))


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in UNSEEN or character in TURNING


def _cell(value: Any) -> Any:
    value = "; ".join(map(str, value)) if isinstance(value, list) else value
    if isinstance(value, str):
        return "'" * value.startswith((*FORMULA, "'")) + printable(value)
    missing = value is None or (isinstance(value, float) and not math.isfinite(value))
    return "" if missing else value
