"""What a study came to, as the report, the screen, the trackers and the files take it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from pydantic import TypeAdapter

from isplit.files import beginning, write_json, write_text
from isplit.report.canvas import save
from isplit.report.table import Table

Value = str | int | float

LONGEST_SLUG = 100  # bytes


@dataclass(frozen=True)
class Drawing:
    """A figure by its name, which its files have too, and what is to be seen in it.

    Attributes:
        suffixes: of its files; a figure of pixels alone has no SVG.
    """

    name: str
    caption: str
    figure: Figure
    suffixes: Sequence[str] = (".png", ".svg")


@dataclass(frozen=True)
class Chart:
    """A chart that a tracker draws of two columns of a table: ``line`` or ``scatter``."""

    table: Table
    kind: str
    x: str
    y: str
    title: str


@dataclass(frozen=True)
class Findings:
    """A study's results, or those of one condition in it.

    Attributes:
        name: of the condition or the study, for people.
        answer: what was asked for, in one sentence.
        verdict: how far it can be trusted and why, in sentences.
        command: what to do next, for a shell.
        facts: what sets it apart, by name.
        tables: shown in the page, some on the screen.
        figures: the most telling first.
        files: what programs read, by file name: a table (CSV), a text, or values that
            become JSON (mappings, dataclasses).
        numbers: for trackers, by flat names (``agreement/cui/spearman``).
        logged: tables for trackers, by name; ``charts`` likewise.
        words: what the numbers are, by name.
        left_out: what is missing, and why, in words.
        parts: the conditions, where there are several; each has a folder ``slug``.
    """

    name: str
    answer: str = ""
    verdict: str = ""
    command: str = ""
    slug: str = ""
    facts: Mapping[str, Value] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    figures: Sequence[Drawing] = ()
    files: Mapping[str, Any] = field(default_factory=dict)
    numbers: Mapping[str, Value] = field(default_factory=dict)
    logged: Mapping[str, Table] = field(default_factory=dict)
    charts: Mapping[str, Chart] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    parts: Sequence[Findings] = ()


def of_all(whole: Findings, parts: Sequence[Findings]) -> Findings:
    """The whole with a folder for each part, named as it is; a single part is the whole itself.

    What belongs to both, files and what is missing, is then that of both.
    """
    if len(parts) == 1:
        files, left_out = {**parts[0].files, **whole.files}, [*whole.left_out, *parts[0].left_out]
        return replace(parts[0], slug="", files=files, left_out=left_out)
    names = distinct([part.slug or slug(part.name) for part in parts], "-")
    return replace(whole, parts=[replace(p, slug=n) for p, n in zip(parts, names, strict=True)])


def distinct(names: Sequence[str], joint: str) -> list[str]:
    """The names, with a number behind what was there before.

    >>> distinct(["a", "b", "a"], " #")
    ['a', 'b', 'a #2']
    """
    counts = [names[:place].count(name) for place, name in enumerate(names, 1)]
    return [n if k == 1 else f"{n}{joint}{k}" for n, k in zip(names, counts, strict=True)]


def as_json(finding: Any) -> Any:
    """A finding as JSON values: dataclasses as objects, what is not finite as null.

    >>> as_json({"p": (0.5, float("nan"))})
    {'p': [0.5, None]}
    """
    return json.loads(TypeAdapter(Any).dump_json(finding))


def write_findings(found: Findings, folder: Path) -> None:
    """The figures and the files for programs; those of the parts in a folder each."""
    for drawing in found.figures:
        save(drawing.figure, folder / drawing.name, drawing.suffixes)
    for name, content in found.files.items():
        if isinstance(content, Table):
            write_text(folder / name, content.csv())
        elif isinstance(content, str):
            write_text(folder / name, content)
        else:
            write_json(folder / name, as_json(content))
    for part in found.parts:
        write_findings(part, folder / part.slug)


def slug(name: str) -> str:
    """A folder name: letters, digits and dots, the rest dashes.

    >>> slug("vgg16 on letters (10 classes), rate 0.9, seed 0")
    'vgg16-on-letters-10-classes-rate-0.9-seed-0'
    """
    kept = "".join(c if c.isalnum() or c in "._" else " " for c in name)
    return beginning("-".join(kept.split()), LONGEST_SLUG).strip(".") or "condition"
