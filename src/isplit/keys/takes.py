"""What a key takes, in the words of the comment behind it, held against what was given.

One or more of these with `` | `` between them: bare words, which stand for themselves; ``number``,
``whole number`` or ``count`` (a whole number; 4kB and 20M too) with their bounds (``from 0 up``,
``above 0 below 1``, ``from 8 to 4096``); ``index``, ``text``, ``path``, ``name`` (a text, or a
number by its place) or ``mapping``; ``list of`` or ``3`` of one of these, of ``these`` (the others
of the same key) or of what another key or group takes.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isplit.keys.words import below, did_you_mean, spoken

Keys = Mapping[str, str]
"""What is said of every key, by its dotted path."""

BOUNDED = re.compile(
    r"(?P<kind>whole number|number|count)"
    r"(?: (?P<from>from|above) (?P<low>[\d.]+))?(?: up)?(?: (?P<to>to|below) (?P<high>[\d.]+))?"
)
SEVERAL = re.compile(r"(?P<count>list of|\d+) (?P<inner>.+)")
PLURAL = re.compile(r"\b(number|name|text|path|mapping)s\b")
KINDS: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "path": (str,),
    "name": (str, int),
    "index": (int,),
    "mapping": (dict,),
}
WORD = re.compile(r"\[\]|''|[\w+-]+(\.[\w+-]+)*")
COUNT = re.compile(r"(?P<number>\d+(\.\d+)?(e\+?\d+)?) ?(?P<unit>[kKMG]?)(?P<binary>i?)B?")
PERCENT = re.compile(r"\d+(\.\d+)?%")
POWER = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3}
LARGEST = sys.float_info.max  # infinity and what is no number are none
MISFIT = object()


def terms(says: str) -> list[str]:
    """What a comment says that its key takes; nothing where it does not begin with that.

    >>> terms("auto | whole number from 1 up: torch threads"), terms("images at once")
    (['auto', 'whole number from 1 up'], [])
    """
    found = says.partition(": ")[0].split(" | ")
    forms = (BOUNDED, SEVERAL)
    described = [t for t in found if t in KINDS or any(form.fullmatch(t) for form in forms)]
    words = [t for t in found if t not in described and WORD.fullmatch(t)]
    known = len(described) + len(words) == len(found) and (described or len(words) > 1)
    return found if known else []


def taken(says: str, value: Any, keys: Keys) -> Any:
    """The value of a key as the program has it: ``4kB`` as 4000, ``90%`` as 0.9.

    Args:
        says: the comment behind the key.
        keys: those that it may refer to.

    Raises:
        ValueError: it takes no such value; the message goes on from ``key=value``.
    """
    wanted = terms(says)
    found = _first(wanted, value, wanted, keys) if wanted else value
    if found is MISFIT:
        choices = ", ".join(_spelled(term, keys) for term in wanted)
        close = did_you_mean(spoken(value), wanted)
        lead = "none of" if len(wanted) > 1 else "no"
        raise ValueError(f"is {lead} {choices}{close}{_in_quotes(wanted, value)}")
    return found


def _first(wanted: Iterable[str], value: Any, beside: Sequence[str], keys: Keys) -> Any:
    found = (_as(term, value, beside, keys) for term in wanted)
    return next((one for one in found if one is not MISFIT), MISFIT)


def _as(term: str, value: Any, beside: Sequence[str], keys: Keys) -> Any:
    """The value as one of the things that a key takes; ``MISFIT`` where it is none."""
    if several := SEVERAL.fullmatch(term):
        inner = PLURAL.sub(r"\1", several["inner"])
        wanted = [t for t in beside if t != term] if inner == "these" else [inner]
        long = len(value) if isinstance(value, list) else 0
        if not long or several["count"] not in ("list of", str(long)):
            return MISFIT
        items = [_first(wanted, one, (), keys) for one in value]
        return MISFIT if MISFIT in items else items
    if bounded := BOUNDED.fullmatch(term):
        return _number(value, bounded)
    if term in KINDS:
        fits = type(value) in KINDS[term] and value != "" and (type(value) is not int or value >= 0)
        return value if fits else MISFIT
    if term in keys:
        return _first(terms(keys[term]), value, (), keys)
    if isinstance(value, dict):  # of a group's keys
        found = {name: _as(f"{term}.{name}", one, (), keys) for name, one in value.items()}
        return MISFIT if MISFIT in found.values() else found
    if spoken(value) != term:
        return MISFIT
    return term if type(value) in (int, float) else value


def _number(value: Any, bounds: re.Match[str]) -> Any:
    value = _with_unit(value, bounds["kind"])
    low, high = float(bounds["low"] or -LARGEST), float(bounds["high"] or LARGEST)
    excluded = [low] * (bounds["from"] == "above") + [high] * (bounds["to"] == "below")
    kinds = (int, float) if bounds["kind"] == "number" else (int,)
    fits = type(value) in kinds and low <= value <= high and value not in excluded
    return value if fits else MISFIT


def _with_unit(value: Any, kind: str) -> Any:
    """``90%`` as a number, ``4kB`` and ``20e6`` as a count; anything else as it is."""
    if kind == "number" and isinstance(value, str) and PERCENT.fullmatch(value):
        return float(f"{value[:-1]}e-2")
    count = COUNT.fullmatch(str(value)) if kind == "count" and type(value) is not bool else None
    if count is None:
        return value
    number = float(count["number"]) * (1024 if count["binary"] else 1000) ** POWER[count["unit"]]
    return int(number) if number.is_integer() else value


def _in_quotes(wanted: Sequence[str], value: Any) -> str:
    """How to write what YAML reads as a number or truth where a text is wanted."""
    items = value if isinstance(value, list) else [value]
    typed = [spoken(one) for one in items if type(one) in (bool, int, float, type(None))]
    texts = re.search(r"\b(text|name|path)s?\b", " ".join(wanted))
    return f"; as a text it stands in quotes: \"'{typed[0]}'\"" if typed and texts else ""


def _spelled(term: str, keys: Keys) -> str:
    """The term; one that refers to another key or group with what that takes or holds."""
    other = term.rpartition(" ")[2]
    held = terms(keys.get(other, "")) or (below(other, keys) if "." in other else [])
    return f"{term} ({', '.join(held)})" if held else term
