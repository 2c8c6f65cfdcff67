"""What ``analyze.py`` leaves: tables, figures, the report."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isplit.analysis.curve_csv import curve_csv
from isplit.analysis.findings import Condition, Leaderboard, as_json
from isplit.analysis.leaderboard import leaderboard_csv
from isplit.files import write_json, write_text
from isplit.report.drawing import Drawing, draw_condition, draw_heat_maps, draw_leaderboard
from isplit.report.page import Extras, write_report
from isplit.report.screen import agreement_table, leaderboard_table, said
from isplit.types import SplitPoint

PROGRAMS = ("isplit", "torch", "torchvision", "lightning", "scipy", "grad-cam")


@dataclass(frozen=True)
class Pictures:
    """Single images under their heat maps at some points.

    Attributes:
        overlays: (P, N, H, W, 3).
        images: (N, H, W, 3).
        labels: class of each image.
    """

    overlays: NDArray[np.uint8]
    points: Sequence[SplitPoint]
    images: NDArray[np.uint8]
    labels: Sequence[str]


def write_agreement(
    conditions: Sequence[Condition],
    board: Leaderboard | None,
    pictures: Mapping[str, Pictures],
    left_out: Sequence[str],
    config: str,
    folder: Path,
) -> None:
    """``curve.csv``, ``agreement.json`` and figures of each condition, leaderboard and report.

    A single condition's files lie in the folder itself, several have a folder each.

    Args:
        pictures: by the slug of their condition.
        left_out: runs that could not be read, and why.
        config: of the analysis, as YAML.
    """
    alone = len(conditions) == 1
    shown, drawings = [], {}
    for condition in conditions:
        place = folder if alone else folder / condition.slug
        drawn, missing = _write_condition(condition, pictures.get(condition.slug), place)
        drawings[condition.slug] = drawn
        shown.append(replace(condition, left_out=(*condition.left_out, *missing)))
    if board is not None:
        drawings[""] = list(draw_leaderboard(board, folder))
        write_text(folder / "leaderboard.csv", leaderboard_csv(board))
        write_json(folder / "leaderboard.json", as_json(board))
    versions = {"Python": platform.python_version()} | {name: version(name) for name in PROGRAMS}
    extras = Extras(drawings, {}, left_out, versions, {"analyze.py": config})
    write_report(folder / "report.html", shown, board, extras)
    write_text(folder / "results.txt", said(*_lines(conditions, board)))


def _write_condition(
    condition: Condition, pictures: Pictures | None, place: Path
) -> tuple[list[Drawing], list[str]]:
    """The drawings of one condition and what is missing, in words."""
    write_text(place / "curve.csv", curve_csv(condition))
    if condition.agreement is not None:
        write_json(place / "agreement.json", as_json(condition.agreement))
    drawn, missing = draw_condition(condition, place)
    if pictures is None:
        return list(drawn), missing
    p = pictures
    return [*drawn, draw_heat_maps(p.overlays, p.points, p.images, p.labels, place)], missing


def _lines(conditions: Sequence[Condition], board: Leaderboard | None) -> list[object]:
    """What is said on screen: the leaderboard, or the only condition's table; the verdicts."""
    judged = [(c, c.agreement) for c in conditions if c.agreement is not None]
    if board is not None:
        verdicts = [f"{condition.name}: {found.verdict}" for condition, found in judged]
        return [leaderboard_table(board), board.verdict, *verdicts]
    return [line for c, found in judged for line in (agreement_table(c, found), found.verdict)]
