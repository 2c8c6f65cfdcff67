"""What ``analyze.py study=classes`` leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from isplit.analysis.class_finding import ClassFinding
from isplit.files import write_json, write_text
from isplit.report.class_tables import (
    classes_csv,
    classes_json,
    classes_table,
    f1_csv,
    f1_table,
)
from isplit.report.figures.canvas import save
from isplit.report.figures.classes import classes_figure
from isplit.report.figures.f1 import f1_figure
from isplit.report.screen import said


def write_classes(findings: Sequence[ClassFinding], left_out: Sequence[str], folder: Path) -> None:
    """``classes.csv``, ``.json`` and ``.txt`` (the table as on screen), ``f1.csv``, figures.

    ``classes`` and ``f1`` are drawn for each condition, ``f1_subset_1`` and ``_2`` for what was
    trained on its subsets. A single condition's figures lie in the folder itself.
    """
    lines: list[str | Table] = []
    for finding in findings:
        place = folder if len(findings) == 1 else folder / finding.condition.slug
        _draw_classes(finding, place)
        lines.append(classes_table(finding))
        if finding.retrainings is not None:
            lines.append(f1_table(finding))
        lines.append(finding.verdict)
    write_text(folder / "classes.txt", said(*lines))
    write_text(folder / "f1.csv", f1_csv(findings))
    write_text(folder / "classes.csv", classes_csv(findings))
    conditions = [classes_json(finding) for finding in findings]
    write_json(folder / "classes.json", {"conditions": conditions, "left_out": list(left_out)})


def _draw_classes(finding: ClassFinding, place: Path) -> None:
    figures = {"classes": classes_figure(finding.condition), "f1": f1_figure(finding.condition)}
    for number, condition in enumerate(finding.subset_conditions, 1):
        figures[f"f1_subset_{number}"] = f1_figure(condition)
    for name, figure in figures.items():
        if figure is not None:
            save(figure, place / name)
