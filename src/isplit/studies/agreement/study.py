"""The study of agreement: every predictor beside what retraining came to."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from isplit.report.findings import Findings, Value, of_all
from isplit.studies.agreement import TEXTS, points, tables
from isplit.studies.agreement.agreement import agreement
from isplit.studies.agreement.answers import why
from isplit.studies.agreement.correlation import FEWEST_POINTS
from isplit.studies.agreement.figures import drawing, drawn
from isplit.studies.agreement.figures.over_points import heatmaps_figure
from isplit.studies.agreement.figures.predictors import leaderboard_figure
from isplit.studies.agreement.leaderboard import leaderboard, standings_rows, tracked_rows
from isplit.studies.collect import Collection, Run, by_condition
from isplit.studies.conditions import Condition, condition_of
from isplit.studies.seen import Look, Pictures

log = logging.getLogger(__name__)

TITLE = "Where to split: what was predicted and what was measured"


def agreement_study(found: Collection, look: Look, options: Mapping[str, Any]) -> Findings:
    """Curves, agreement and verdict of every condition; a leaderboard where there are several."""
    judged = list(judged_conditions(by_condition(found.runs), look))
    parts = [condition_findings(condition, pictures) for condition, pictures in judged]
    return together([condition for condition, _ in judged], parts, found.left_out)


def judged_conditions(
    groups: Mapping[str, Sequence[Run]], look: Look
) -> Iterator[tuple[Condition, Pictures | None]]:
    """Every condition with its curves and, where enough points were retrained, its agreement."""
    for number, (name, runs) in enumerate(groups.items(), 1):
        log.info("%s: %d runs (%d of %d)", name, len(runs), number, len(groups))
        seen = look(runs[0])
        condition = condition_of(name, runs, seen)
        trained = len(condition.retrained)
        if trained >= FEWEST_POINTS:
            condition = replace(condition, agreement=agreement(condition))
        else:
            reason = f"no agreement: {trained} points retrained, {FEWEST_POINTS} needed"
            condition = replace(condition, left_out=(*condition.left_out, reason))
        yield condition, seen.pictures


def condition_findings(condition: Condition, pictures: Pictures | None = None) -> Findings:
    """Everything about one condition, by its most accurate point."""
    best = condition.most_accurate
    found = condition.agreement
    figures, missing = drawn(condition)
    if pictures is not None:
        figures.append(drawing("heatmaps", heatmaps_figure(pictures), suffixes=(".png",)))
    kinds = (tables.predictors_table, tables.points_table, tables.classes_table)
    rows = points.predictions_rows(condition)
    files: dict[str, Any] = {"curve.csv": points.curve_rows(condition)}
    return Findings(
        name=condition.name,
        answer=best.results[0].answer(best.accuracy),
        verdict=" ".join([why(condition), *([found.verdict] if found else [])]),
        facts={
            **condition.facts,
            "unsplit accuracy": f"{condition.baseline_accuracy:.3f}",
            "test images": f"{condition.test_images:,}",
            "trained": f"{len(condition.retrained)} of {len(condition.points)} split points",
        },
        tables=[table for kind in kinds if (table := kind(condition))],
        figures=figures,
        files=files | ({"agreement.json": found} if found else {}),
        numbers=_numbers(condition),
        logged={"curves": rows},
        charts=points.charts(rows),
        words=TEXTS["words"],
        left_out=[*condition.left_out, *missing],
    )


def together(
    conditions: Sequence[Condition], parts: Sequence[Findings], left_out: Sequence[str]
) -> Findings:
    """The conditions and, where two have an agreement, the predictors over all of them."""
    board = leaderboard(conditions)
    whole = Findings(
        name=TITLE,
        answer=f"{len(parts)} conditions, each with its own answer: the table says where to cut.",
        tables=[tables.answers_table(conditions)],
        left_out=left_out,
    )
    if len(board.conditions) > 1:
        figure = leaderboard_figure(board)
        whole = replace(
            whole,
            verdict=board.verdict,
            tables=[*whole.tables, tables.standings_table(board)],
            figures=[drawing("leaderboard", figure)] if figure else [],
            files={"leaderboard.csv": standings_rows(board), "leaderboard.json": board},
            logged={"leaderboard": tracked_rows(board)},
        )
    return of_all(whole, parts)


def _numbers(condition: Condition) -> dict[str, Value]:
    """``agreement/<predictor>/<statistic>`` and the verdict; what is not finite is left out."""
    found = condition.agreement
    if found is None:
        return {}
    numbers = {
        f"agreement/{name}/{statistic}": getattr(score, statistic)
        for name, score in found.predictors.items()
        for statistic in ("spearman", "kendall", "pearson", "regret", "regret_top3", "auto_regret")
    }
    known: dict[str, Value] = {k: v for k, v in numbers.items() if math.isfinite(v)}
    return known | {"agreement/n": found.n, "agreement/verdict": found.verdict}
