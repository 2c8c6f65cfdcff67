"""``report.html``: one file that opens offline, the answer first, then what it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    blocks = [_blocks(found, ".", "whole", folder)]
    blocks += [_blocks(p, p.slug, f"part{k}", folder) for k, p in enumerate(found.parts)]
    sections = list(zip((found, *found.parts), blocks, strict=True))
    words = {k: said for f, _ in sections for k, said in f.words.items()}  # each once
    of_parts = (f"{part.name}: {line}" for part in found.parts for line in part.left_out)
    about = {"found": found, "sections": sections, "missing": [*found.left_out, *of_parts]}
    about |= {"words": words, "versions": versions or {}, "configs": configs or {}}
    page = templates.get_template("report.html")
    _fill(blocks, BYTES_AT_MOST - len(page.render(about).encode()))
    path = folder / "report.html"
    write_text(path, page.render(about))
    return path


@dataclass
class _Block:
    """A figure or table as HTML, and what stands in its place while it has no room."""

    html: Markup
    instead: Markup
    has_room: bool = False


def _blocks(found: Findings, place: str, prefix: str, folder: Path) -> list[_Block]:
    """What the section of some findings could hold."""
    parts: Any = templates.get_template("blocks.html").module
    figures = []
    for drawing in found.figures:
        file = Path(place, drawing.name + drawing.suffixes[-1]).as_posix()
        content = inlined(folder / file, f"{prefix}-{drawing.name}-", drawing.caption)
        left = parts.left(f"Figure {drawing.name}", file)
        figures.append(_Block(parts.figure(content, drawing.caption, file), left))
    tables = [_Block(parts.table(t), parts.left(f"Table {t.name}", place)) for t in found.tables]
    return tables + figures if found.parts else figures + tables


def _fill(sections: Sequence[Sequence[_Block]], room: int) -> None:
    """Show what there is room for: all of the first two sections, then of each the first, ..."""
    by_rank = chain.from_iterable(zip_longest(*sections[2:]))
    for block in filter(None, chain(*sections[:2], by_rank)):
        size = len(block.html.encode())
        if size <= room:
            block.has_room = True
            room -= size
