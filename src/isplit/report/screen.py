"""Findings on the terminal, and the same as text."""

import io
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from isplit.report.findings import Findings
from isplit.report.table import Column, Table
from isplit.report.text import printable

FILE_WIDTH = 120  # characters of a line that goes to a file


def say(found: Findings) -> str:
    """The tables, the verdict, and the answer last, where it stays in sight; gives it as text."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # what it cannot show ends no job
    screen = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    text = io.StringIO()
    _print(found, Console(width=screen.width, file=text))
    with suppress(SystemExit, OSError):  # of a reader that has gone: rich exits
        _print(found, screen)
    return text.getvalue()


def _print(found: Findings, console: Console) -> None:
    unbroken = found.answer, *(one.command for one in (found, *found.parts))  # found, or copied
    for line in _lines(found):
        shown = Text(printable(line, kept="\n")) if isinstance(line, str) else fitted(line, console)
        console.print(shown, highlight=False, soft_wrap=line in unbroken)


def fitted(table: Table, console: Console) -> RichTable:
    """The table with as many columns as the console has room for, each whole; none is empty."""
    chosen = [column for column in table.filled() if column.screen]

    def room(width_of: Callable[[Table, Column], int]) -> int:
        return console.width - 1 - sum(width_of(table, column) + 3 for column in chosen)

    while room(_least) < 0 and len(chosen) > 1:
        chosen.remove(max(chosen, key=lambda column: column.screen))
    width_of = _most if room(_most) >= 0 else _least
    shown = RichTable(
        title=Text(printable(table.name)), caption=Text(printable(table.note)), box=box.SQUARE
    )
    for column in chosen:
        where: Literal["right", "left"] = "right" if table.is_number(column) else "left"
        width = min(width_of(table, column), console.width - 4)
        shown.add_column(Text(column.heading), justify=where, overflow="fold", width=width)
    for row in table.rows:
        shown.add_row(*(Text(column.text(row.get(column.key))) for column in chosen))
    return shown


def _lines(found: Findings) -> Iterable[Table | str]:
    yield from (table for table in found.tables if table.on_screen)
    for part in found.parts:
        yield from filter(None, [f"{part.name}: {part.verdict}", part.command])
    yield from filter(None, [found.verdict, found.command, found.answer])


def _least(table: Table, column: Column) -> int:
    """Characters of its widest cell, unless it folds, and of the longest word of its heading."""
    widest = max((cell_len(column.text(row.get(column.key))) for row in table.rows), default=0)
    words = max(map(cell_len, column.heading.split()), default=0)
    return max(words, min(widest, column.fold or widest))


def _most(table: Table, column: Column) -> int:
    """The same with the whole heading in one line."""
    return max(_least(table, column), cell_len(column.heading))
