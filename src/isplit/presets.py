"""Figures by name: the files of ``conf/channel`` and ``conf/device``, held against their limits."""

import re
from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, fields
from numbers import Integral, Real
from pathlib import Path
from sys import float_info
from typing import Any, TypeVar

from isplit.files import conf_folder, write_text

OPEN = "???"  # Hydra's mark of a figure that the user must give
ABOVE_0, FROM_0, FROM_1 = (1e-9, 1e15), (0.0, 1e15), (1.0, 1e15)
FINITE = (0.0, float_info.max)
COUNT = (1, 1 << 31)
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$")

T = TypeVar("T")


def check(values: object, where: str, **limits: tuple[float, float]) -> None:
    """Refuse fields of ``values`` that are no numbers within their limits.

    A field whose default is ``None`` may be that, and one that is a function draws its number.
    Limits that are whole numbers are those of a whole number.

    >>> check(1 + 2j, "number", real=(0.0, 5.0), imag=(0.0, 1.0))
    Traceback (most recent call last):
    ValueError: number.imag=2.0 is not within 0 and 1
    """
    for key, (low, high) in limits.items():
        value = getattr(values, key)
        if callable(value) or (value is None and getattr(type(values), key, 0) is None):
            continue
        kind, what = (Integral, "a whole number ") if isinstance(low, int) else (Real, "")
        is_number = isinstance(value, kind) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise ValueError(f"{where}.{key}={value!r} is not {what}within {low:g} and {high:g}")


def check_choice(value: str, where: str, choices: Collection[str]) -> None:
    """Refuse a word that is none of the choices."""
    if value not in choices:
        raise ValueError(f"{where}={value!r} is none of {', '.join(choices)}")


def preset_names(group: str) -> list[str]:
    """The names that :func:`load_preset` knows."""
    return sorted(p.stem for p in (conf_folder() / group).glob("*.yaml") if p.stem[0] != "_")


def load_preset(kind: type[T], name: str, group: str, key: str = "", **figures: Any) -> T:
    """What a preset describes, or a YAML file of that layout (``name`` ends in ``.yaml``).

    Args:
        kind: the dataclass whose fields the file gives.
        name: of the preset, or the path of a file.
        group: the folder of ``conf/``.
        key: that the user typed, if not the group's.
        figures: fields that take the place of what the file says.

    Raises:
        ValueError: there is no such preset, or it does not describe one.
    """
    import yaml  # here, so that a device imports without it

    class Loader(yaml.SafeLoader):
        """Takes ``1e6`` for a number, as Hydra does; YAML 1.1 asks for ``1.0e+6``."""

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, [*"+-0123456789"])
    said, path = f"{key or group}={name!r}", Path(name)
    if not name.endswith(".yaml"):
        path = conf_folder() / group / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(f"{said} is neither a file nor one of {', '.join(preset_names(group))}")
    try:
        read = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{said}: {path} is not YAML: {error}") from error
    if not isinstance(read, Mapping):
        raise ValueError(f"{said}: {path} does not hold keys and values")
    return preset_of(kind, {**read, **figures}, group)


def preset_of(kind: type[T], figures: Mapping[str, Any], group: str) -> T:
    """What a mapping of fields describes, such as a config group of Hydra.

    Raises:
        ValueError: a field is unknown, missing or cannot be.
    """
    given = {str(key): value for key, value in figures.items() if key != "defaults"}
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(given.keys() - known):
        raise ValueError(f"{group}.{unknown[0]} is unknown; known are {', '.join(known)}")
    for key, field in known.items():
        absent = field.default is MISSING and field.default_factory is MISSING
        if given.get(key, OPEN if absent else None) == OPEN:
            raise ValueError(f"{group}.{key} must be given: no source says it")
    return kind(**given)


def in_python(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values, those of numpy as Python's own."""
    return {key: v.item() if hasattr(v, "item") else v for key, v in values.items()}


def save_preset(values: Any, path: Path) -> None:
    """Write it as a file that :func:`load_preset` and Hydra read, whole or not at all."""
    import yaml

    known = in_python(asdict(values))
    text = yaml.safe_dump(known, sort_keys=False, allow_unicode=True, width=100)
    write_text(path, text)
