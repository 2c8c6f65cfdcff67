"""Figures that cannot be are refused in words."""

from __future__ import annotations

from math import inf

ABOVE_0 = (1e-9, inf)
FROM_0 = (0.0, inf)
FROM_1 = (1.0, inf)


def check(values: object, where: str, **limits: tuple[float, float]) -> None:
    """Refuse fields of ``values`` that are no numbers within their limits.

    A field whose default is ``None`` may be that, and one that is a function draws its number.

    >>> check(1 + 2j, "number", real=(0, 5), imag=(0, 1))
    Traceback (most recent call last):
    ValueError: number.imag=2.0 is not within 0 and 1
    """
    for key, (low, high) in limits.items():
        value = getattr(values, key)
        if callable(value) or (value is None and getattr(type(values), key, 0) is None):
            continue
        if not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"{where}.{key}={value!r} is not within {low:g} and {high:g}")


def check_choice(value: str, where: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that is none of the choices."""
    if value not in choices:
        raise ValueError(f"{where}={value!r} is none of {', '.join(choices)}")
