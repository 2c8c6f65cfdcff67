"""One table for the screen, the page, CSV and trackers: numbers stay numbers until they are shown.

A cell is a text, a number, a list of texts, ``None`` where there is nothing, or a tuple: an
``Estimate``, or parts that the column's format puts together; it sorts by the first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from isplit.report.text import csv_text, printable

NOTHING = "-"


class Estimate(NamedTuple):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Column:
    """What stands in a column.

    Attributes:
        key: of the rows; also its name in CSV and in trackers.
        name: heading for people; empty: the key.
        unit: in the heading.
        form: how a value is shown: a format of Python's; with braces, of the parts of a tuple.
        scale: a number is shown, and sorts, times this (100: in percent or points).
        fold: characters beyond which a cell goes on in another line on the screen; 0: never.
        screen: 0: not on the screen; else the lower, the longer it stays where width is short.
    """

    key: str
    name: str = ""
    unit: str = ""
    form: str = ""
    scale: float = 1
    fold: int = 0
    screen: int = 0

    @property
    def heading(self) -> str:
        """Name and unit."""
        return printable((self.name or self.key) + (f" ({self.unit})" if self.unit else ""))

    def text(self, value: Any) -> str:
        """What is shown; a dash where there is nothing.

        >>> Column("n", form=",d").text(1234), Column("n", form=".1f", scale=100).text(0.0123)
        ('1,234', '1.2')
        >>> Column("n").text(None), Column("rho", form="+.2f").text(Estimate(0.381, -0.1, 0.7))
        ('-', '+0.38 [-0.10, +0.70]')
        >>> Column("rank", form="{} of {}").text((3, 18))
        '3 of 18'
        """
        if is_missing(value):
            return NOTHING
        if "{" in self.form:
            return printable(self.form.format(*value))
        if isinstance(value, Estimate):
            low, high = (self.text(end) for end in value[1:])
            return f"{self.text(value.value)} [{low}, {high}]"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list):
            return printable(", ".join(value))
        number = isinstance(value, int | float)
        value = value * self.scale if number and self.scale != 1 else value
        return printable(format(value, self.form))

    def number(self, value: Any) -> float | None:
        """By which the column sorts, finite; ``None``: by the text, behind all numbers."""
        if is_missing(value) or isinstance(value, str | bool | list):
            return None
        number: float = value[0] if isinstance(value, tuple) else value
        return number * self.scale if math.isfinite(number) else None


@dataclass(frozen=True)
class Table:
    """Rows by the keys of their columns; a row without a key has nothing there.

    Attributes:
        name: heading; its file and name in trackers are the study's to choose.
        note: what the columns mean, below it.
        on_screen: whether it is said on the screen, not in the page alone.
    """

    name: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    note: str = ""
    on_screen: bool = False

    @classmethod
    def of_rows(cls, name: str, rows: Sequence[Mapping[str, Any]]) -> Table:
        """A table for programs: a column for each key of the rows, in the order they come up."""
        keys = dict.fromkeys(key for row in rows for key in row)
        return cls(name, tuple(map(Column, keys)), rows)

    def values(self) -> list[list[Any]]:
        """The rows as lists, as numbers and texts."""
        return [[row.get(column.key) for column in self.columns] for row in self.rows]

    def csv(self) -> str:
        """As CSV under the columns' keys."""
        return csv_text([column.key for column in self.columns], self.values())

    def cells(self) -> list[list[tuple[str, float | None]]]:
        """Of each row what is shown, and the number it sorts by."""
        columns = self.columns
        return [
            [(c.text(v), c.number(v)) for c, v in zip(columns, row, strict=True)]
            for row in self.values()
        ]

    def filled(self) -> list[Column]:
        """The columns in which a row has anything."""
        known = {key for row in self.rows for key, value in row.items() if value is not None}
        return [column for column in self.columns if column.key in known]

    def is_number(self, column: Column) -> bool:
        """Whether any cell of the column is a number."""
        return any(column.number(row.get(column.key)) is not None for row in self.rows)


def words_of(room: str) -> dict[str, Any]:
    """What stands beside a room's numbers: its ``words.yaml``, ``columns`` by the name of a table.

    Args:
        room: below ``isplit``, with dots.
    """
    text = files(f"isplit.{room}").joinpath("words.yaml").read_text("utf-8")
    words: dict[str, Any] = yaml.safe_load(text)
    tables = words["columns"].items()
    return words | {"columns": {table: [Column(**keys) for keys in each] for table, each in tables}}


def columns_of(table: str) -> list[Column]:
    """The columns of a table that belongs to no study."""
    return list(words_of("report")["columns"][table])


def is_missing(value: Any) -> bool:
    """Whether there is nothing to show: ``None``, NaN, or an estimate of NaN."""
    first = value.value if isinstance(value, Estimate) else value
    return first is None or (isinstance(first, float) and math.isnan(first))
