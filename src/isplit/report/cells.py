"""Cells and tables: what is shown and by which number it sorts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from isplit.analysis.findings import Interval

NOTHING = "-"


@dataclass(frozen=True)
class Cell:
    """What is shown, and the number by which a column sorts (``None``: the text)."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Grid:
    """A table: every row has a cell for each column.

    Attributes:
        name: heading.
        columns: their headings, with units.
        note: what the columns mean, below it.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def is_number(self, column: int) -> bool:
        """Whether any cell of the column is a number."""
        return any(row[column].value is not None for row in self.rows)


def number(value: float | None, form: str = ".3f", scale: float = 1.0) -> Cell:
    """A number as it is shown; a dash where there is none.

    >>> number(1234567, ",d").text, number(None).text, number(0.0123, ".1f", 100).text
    ('1,234,567', '-', '1.2')
    """
    if value is None or math.isnan(value):
        return Cell(NOTHING)
    return Cell(format(value * scale if scale != 1.0 else value, form), value)


def with_interval(value: float, interval: Interval) -> Cell:
    """A number and its 95 % interval; sorts by the number.

    >>> with_interval(0.381, (-0.1, 0.7)).text
    '0.38 [-0.10, 0.70]'
    """
    if math.isnan(value):
        return Cell(NOTHING)
    low, high = interval
    return Cell(f"{value:.2f} [{low:.2f}, {high:.2f}]", value)
