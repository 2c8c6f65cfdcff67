"""JSON, YAML and text that anybody may have written, read as plain values within bounds.

Nothing is instantiated or resolved: values are dicts, lists, texts, numbers, bools and ``None``.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

MOST_BYTES = 16 * 2**20
MOST_ITEMS = 1_000_000
LARGEST = 2**63
LONGEST_TEXT = 10_000  # characters of one value
DEEPEST = 40  # nested values

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """The content of a regular file of at most ``most_bytes``, which is UTF-8.

    Raises:
        ValueError: it is something else.
        OSError: it cannot be read.
    """
    if not path.is_file():  # a pipe has no end, a device may have none
        what = "is no regular file" if os.path.lexists(path) else "is missing"
        raise ValueError(f"{path.name} {what}")
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"{path.name} has more than {most_bytes:,} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is no text in UTF-8") from error


def read_json(path: Path) -> Any:
    """The plain values of a JSON file.

    Raises:
        ValueError: it is no JSON, or beyond the bounds.
    """
    text = read_text(path)
    if sum(map(text.count, ",[{")) > MOST_ITEMS:
        raise ValueError(f"{path.name} has more than {MOST_ITEMS:,} values")
    try:
        return _plain(json.loads(text), path.name)
    except RecursionError as error:
        raise ValueError(f"{path.name} is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name} is half written, or no JSON ({error})") from error


def read_yaml(path: Path) -> Any:
    """The plain values of a YAML file, which has no tags.

    Raises:
        ValueError: it is no such YAML, or beyond the bounds.
    """
    text = read_text(path, MOST_BYTES // 16)  # slower to read than JSON
    try:
        depth = 0
        for event in yaml.parse(text, _Loader):  # before values are made
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise ValueError(f"{path.name} is nested too deeply")
            if tag := getattr(event, "tag", None):
                raise ValueError(f"{path.name} has a tag ({tag}), which no job writes")
            if len(getattr(event, "value", "")) > LONGEST_TEXT:
                raise ValueError(f"{path.name} has a text of more than {LONGEST_TEXT} characters")
        return _plain(yaml.load(text, _Loader), path.name)
    except (yaml.YAMLError, RecursionError, LookupError) as error:
        raise ValueError(f"{path.name} is no YAML: {error}") from error


def flattened(values: Mapping[str, Any], joint: str) -> dict[str, Any]:
    """Values of nested mappings, by their keys with ``joint`` between.

    >>> flattened({"data": {"name": "letters", "classes": ["A", "B"]}, "seed": 0}, "/")
    {'data/name': 'letters', 'data/classes': ['A', 'B'], 'seed': 0}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        below = flattened(value, joint) if isinstance(value, Mapping) else None
        flat |= {key: value} if below is None else {f"{key}{joint}{k}": v for k, v in below.items()}
    return flat


def _plain(content: Any, name: str) -> Any:
    """The content, if it is made of plain values that a finished job writes."""
    todo = [(content, "", 0)]
    count = 0
    while todo:
        value, where, depth = todo.pop()
        count += len(value) if isinstance(value, dict | list) else 0
        if count > MOST_ITEMS:  # aliases of YAML multiply them
            raise ValueError(f"{name} has more than {MOST_ITEMS:,} values")
        if (wrong := _oddity(value)) or depth > DEEPEST:
            raise ValueError(f"{name}{where}: {wrong or 'is nested too deeply'}")
        if isinstance(value, dict):
            todo += [(key, f"{where}, a key", depth) for key in value if not isinstance(key, str)]
            todo += [(one, f"{where}.{key}", depth + 1) for key, one in value.items()]
        elif isinstance(value, list):
            todo += [(one, f"{where}[{number}]", depth + 1) for number, one in enumerate(value)]
    return content


def _oddity(value: Any) -> str:
    """What is wrong with a value; empty if nothing is."""
    match value:
        case str() if "${" in value:
            return f"{value[:60]!r} is an interpolation, which a finished job never leaves"
        case str() if len(value) > LONGEST_TEXT:
            return f"a text of {len(value):,} characters"
        case bool() | str() | dict() | list() | None:
            return ""
        case int() | float() if abs(value) < LARGEST:  # neither is NaN nor infinity
            return ""
        case int():
            return "a number too large to count anything"
    return f"{str(value)[:60]} is no plain value"
