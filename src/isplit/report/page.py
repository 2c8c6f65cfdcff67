"""``report.html``: one file that opens offline, the answer first, then what it rests on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from isplit.files import write_text
from isplit.report.findings import Findings
from isplit.report.svg import inlined
from isplit.report.text import printable

BYTES_AT_MOST = 2_000_000

templates = Environment(
    loader=PackageLoader("isplit", "report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    finalize=lambda value: printable(value, "\n\t") if type(value) is str else value,
)


def write_report(
    folder: Path,
    found: Findings,
    versions: Mapping[str, str] | None = None,
    configs: Mapping[str, str] | None = None,
) -> Path:
    """The report as one HTML file below two megabytes; gives its path.

    The findings as a whole come first, then a section for each part, the first unfolded. The
    figures are those of the files in ``folder``, as elements of the page; what has no room is named
    with its file, the last parts' last figures first.

    Args:
        versions: of programs, by name.
        configs: texts that are shown folded, by name.
    """
    sections = [_section(found, ".", "whole", folder)]
    sections += [_section(p, p.slug, f"part{k}", folder) for k, p in enumerate(found.parts)]
    about = {"found": found, "sections": sections, "missing": list(_missing(found))}
    about |= {"words": _words(found), "versions": versions or {}, "configs": configs or {}}
    _fill(sections, BYTES_AT_MOST - len(_page(about).encode()))
    path = folder / "report.html"
    write_text(path, _page(about))
    return path


@dataclass(frozen=True)
class _Block:
    """A figure or table as HTML, and what stands in its place where there is no room."""

    html: str
    instead: str


@dataclass
class _Section:
    """One part of the page: what it could hold, and what it does hold."""

    found: Findings
    offered: Sequence[_Block]
    taken: list[_Block] = field(default_factory=list)

    @property
    def blocks(self) -> list[Markup]:
        """What is shown, in order, with a line for what has no room."""
        return [Markup(b.html if b in self.taken else b.instead) for b in self.offered]


def _section(found: Findings, place: str, prefix: str, folder: Path) -> _Section:
    parts: Any = templates.get_template("blocks.html").module
    figures = []
    for drawing in found.figures:
        file = Path(place, drawing.name + drawing.suffixes[-1]).as_posix()
        content = inlined(folder / file, f"{prefix}-{drawing.name}-", drawing.caption)
        left = parts.left(f"Figure {drawing.name}", file)
        figures.append(_Block(parts.figure(content, drawing.caption, file), left))
    tables = [_Block(parts.table(t), parts.left(f"Table {t.name}", place)) for t in found.tables]
    return _Section(found, tables + figures if found.parts else figures + tables)


def _fill(sections: Sequence[_Section], room: int) -> None:
    """Take what there is room for: all of the first two sections, then of each the first, ..."""
    first = [(section, block) for section in sections[:2] for block in section.offered]
    rest = zip_longest(*([(s, b) for b in s.offered] for s in sections[2:]))
    for section, block in chain(first, (pair for rank in rest for pair in rank if pair)):
        size = len(block.html.encode())
        if size <= room:
            section.taken.append(block)
            room -= size


def _page(about: Mapping[str, Any]) -> str:
    loader = templates.loader
    assert loader is not None
    css, js = (Markup(loader.get_source(templates, f"report.{s}")[0]) for s in ("css", "js"))
    return templates.get_template("report.html").render(css=css, js=js, **about)


def _missing(found: Findings) -> Iterator[str]:
    yield from found.left_out
    yield from (f"{part.name}: {line}" for part in found.parts for line in part.left_out)


def _words(found: Findings) -> dict[str, str]:
    """What the numbers of all the findings are, each once."""
    return {k: words for f in (found, *found.parts) for k, words in f.words.items()}
