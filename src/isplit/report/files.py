"""The folder of a study or a job: everything that findings hold, as files."""

from pathlib import Path

from isplit.files import write_json, write_text
from isplit.report.canvas import save
from isplit.report.findings import Findings, as_json
from isplit.report.table import Table


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
