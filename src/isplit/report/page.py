"""``report.html``: one file that opens offline, the verdict first, then what it rests on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from isplit.analysis.findings import Condition, Leaderboard
from isplit.files import write_text
from isplit.report.cells import Grid
from isplit.report.drawing import Drawing
from isplit.report.grids import (
    classes_grid,
    leaderboard_grid,
    points_grid,
    predictors_grid,
)
from isplit.report.inline import inlined_picture, inlined_svg
from isplit.report.tips import Tip, condition_tips, leaderboard_tips

BYTES_AT_MOST = 2_000_000
OVERALL = "overall"
TITLE = "Where to split: what was predicted and what was measured"

templates = Environment(
    loader=PackageLoader("isplit", "report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)


@dataclass(frozen=True)
class Extras:
    """What stands in a report besides the findings.

    Attributes:
        drawings: figures by condition's slug, ``""`` for those of the whole analysis.
        grids: further tables, likewise.
        left_out: what is missing in the analysis as a whole, in words.
        versions: of programs, and anything else worth a line, by name.
        configs: texts that are shown folded, by name.
    """

    drawings: Mapping[str, Sequence[Drawing]] = field(default_factory=dict)
    grids: Mapping[str, Sequence[Grid]] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    configs: Mapping[str, str] = field(default_factory=dict)


def write_report(
    path: Path,
    conditions: Sequence[Condition],
    leaderboard: Leaderboard | None = None,
    extras: Extras | None = None,
) -> Path:
    """The report as one HTML file below two megabytes; gives its path.

    A section per condition, the first unfolded; with a leaderboard, that comes first. The figures
    are those of the files, as elements of the page; what has no room is named with its file, the
    last conditions' last figures first. Links lead to files relative to the report.

    Raises:
        ValueError: no conditions.
    """
    if not conditions:
        raise ValueError("no conditions to report: runs= found no finished run")
    extras = extras or Extras()
    overall = _Section.of_all(leaderboard, extras, path.parent)
    sections = [_Section.of(c, k, extras, path.parent) for k, c in enumerate(conditions)]
    frame = _page(conditions, leaderboard, extras, overall, sections)
    _fill([overall, *sections], BYTES_AT_MOST - len(frame.encode()))
    write_text(path, _page(conditions, leaderboard, extras, overall, sections))
    return path


@dataclass(frozen=True)
class _Block:
    """A figure or table as HTML, and what stands in its place where there is no room."""

    html: str
    instead: str


@dataclass
class _Section:
    """One part of the page: what it could hold, and what it does hold."""

    offered: Sequence[_Block]
    condition: Condition | None = None
    taken: list[_Block] = field(default_factory=list)

    @classmethod
    def of(cls, condition: Condition, number: int, extras: Extras, folder: Path) -> _Section:
        """The figures of a condition, then its tables."""
        name = f"c{number}"
        drawings = extras.drawings.get(condition.slug, ())
        made = (predictors_grid(condition), points_grid(condition), classes_grid(condition))
        grids = [grid for grid in (*made, *extras.grids.get(condition.slug, ())) if grid]
        tips = condition_tips(condition)
        files = folder / condition.slug
        return cls(list(_blocks(name, drawings, grids, tips, folder, files)), condition)

    @classmethod
    def of_all(cls, leaderboard: Leaderboard | None, extras: Extras, folder: Path) -> _Section:
        """What is about all conditions together: empty without a leaderboard or extras."""
        drawings, grids = extras.drawings.get("", ()), list(extras.grids.get("", ()))
        tips = leaderboard_tips(leaderboard) if leaderboard else {}
        if leaderboard:
            grids = [leaderboard_grid(leaderboard), *grids]
        return cls(list(_blocks(OVERALL, drawings, grids, tips, folder, folder)))

    @property
    def blocks(self) -> list[Markup]:
        """What is shown, in order, with a line for what has no room."""
        return [Markup(b.html if b in self.taken else b.instead) for b in self.offered]

    @property
    def missing(self) -> Sequence[str]:
        """What the condition lacks, in words."""
        return self.condition.left_out if self.condition else ()

    @property
    def facts(self) -> dict[str, Any]:
        """What sets the condition apart, and how much was measured in it."""
        c = self.condition
        if c is None:
            return {}
        counted = {
            "unsplit accuracy": f"{c.baseline_accuracy:.3f}",
            "test images": f"{c.test_images:,}",
            "trained": f"{len(c.retrained)} of {len(c.points)} split points",
        }
        return {**c.facts, **counted}


def _blocks(
    name: str,
    drawings: Sequence[Drawing],
    grids: Sequence[Grid],
    tips: Mapping[str, Tip],
    folder: Path,
    files: Path,
) -> Iterator[_Block]:
    """The drawings, what their marks say with the first of them, and the tables."""
    parts: Any = templates.get_template("blocks.html").module
    about = parts.tips(name, tips)
    for drawing in drawings:
        file = Path(os.path.relpath(drawing.path, folder)).as_posix()
        figure = parts.figure(_inlined(drawing, name), drawing.caption, name, file)
        yield _Block(about + figure, parts.left(f"Figure {drawing.name}", file))
        about = ""
    for grid in grids:
        place = Path(os.path.relpath(files, folder)).as_posix()
        yield _Block(parts.grid(grid), parts.left(f"Table {grid.name}", place))


def _inlined(drawing: Drawing, section: str) -> Markup:
    if drawing.path.suffix == ".svg":
        return inlined_svg(drawing.path, f"{section}-{drawing.name}-", drawing.caption)
    return inlined_picture(drawing.path, drawing.caption)


def _fill(sections: Sequence[_Section], room: int) -> None:
    """Take what there is room for: all of the first two sections, then of each the first, ..."""
    first = [(section, block) for section in sections[:2] for block in section.offered]
    rest = zip_longest(*([(s, b) for b in s.offered] for s in sections[2:]))
    for section, block in [*first, *(pair for rank in rest for pair in rank if pair)]:
        size = len(block.html.encode())
        if size <= room:
            section.taken.append(block)
            room -= size


def _page(
    conditions: Sequence[Condition],
    leaderboard: Leaderboard | None,
    extras: Extras,
    overall: _Section,
    sections: Sequence[_Section],
) -> str:
    judged = leaderboard or conditions[0].agreement
    return templates.get_template("report.html").render(
        title=TITLE,
        verdict=judged.verdict if judged else "Too few splits were trained to judge a predictor.",
        overall=overall.blocks,
        sections=sections,
        missing=_missing(conditions, leaderboard, extras),
        versions=extras.versions,
        configs=extras.configs,
        css=Markup(_source("report.css")),
        js=Markup(_source("report.js")),
    )


def _missing(
    conditions: Sequence[Condition], leaderboard: Leaderboard | None, extras: Extras
) -> list[str]:
    unjudged = [f"{name}: no agreement" for name in (leaderboard.left_out if leaderboard else ())]
    own = [f"{c.name}: {line}" for c in conditions for line in c.left_out]
    return [*extras.left_out, *unjudged, *own]


def _source(name: str) -> str:
    loader = templates.loader
    assert loader is not None
    return loader.get_source(templates, name)[0]
