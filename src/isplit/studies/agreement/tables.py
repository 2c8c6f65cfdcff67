"""The tables that people see: of a condition, and of all conditions together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from isplit.report.table import NOTHING, Column, Estimate, Table
from isplit.studies.agreement import TEXTS
from isplit.studies.agreement.noise import accuracy_error
from isplit.studies.agreement.points import RANKED, Row, curve_rows
from isplit.studies.conditions import MEASURED, Condition, class_f1, peak_of_each_class, shown_split
from isplit.studies.scores import Leaderboard, PredictorScore, Standing, or_least


def predictors_table(condition: Condition) -> Table | None:
    """A row for each predictor, the best first: how its order agrees, what its choices lose."""
    if condition.agreement is None:
        return None
    scores = condition.agreement.predictors
    names = sorted(scores, key=lambda n: -or_least(scores[n].spearman))
    rows = [
        _with_intervals(scores[n]) | {"predictor": n, "cost": _cost(condition, n)} for n in names
    ]
    name = f"Predictors over N={condition.agreement.n} trained points"
    return _table("predictors", name, rows, on_screen=True)


def points_table(condition: Condition) -> Table:
    """A row for each split point: what it is, what it costs, what was measured there."""
    rows: list[Row] = [dict(row) for row in curve_rows(condition).rows]
    for position, (row, point) in enumerate(zip(rows, condition.points, strict=True)):
        kinds = [kind for kind in RANKED if kind in condition.curves]
        row |= {f"{kind}_rank": condition.curves[kind].rank(position) for kind in kinds}
        row["shape"] = point.numel, " x ".join(map(str, point.shape))
    for trained in condition.retrained:
        error = accuracy_error(trained, condition.test_images)
        rows[trained.position]["accuracy_error"] = error or None
    made = _table("points", "Split points", rows)
    return replace(made, columns=made.filled())


def classes_table(condition: Condition) -> Table:
    """A row for each class: F1 before and after the split, and where its own curve peaks."""
    shown, cui = shown_split(condition), condition.curves.get("cui")
    peaks = {} if cui is None else peak_of_each_class(cui)
    labels = [point.label for point in condition.points]
    rows = [
        {"class": name, "f1_unsplit": before, "f1_split": after, "difference": after - before}
        | {"peak": labels[peaks[name]] if name in peaks else None}
        for name, before, after in class_f1(condition, shown)
    ]
    return _table("classes", "Classes", rows, {"split": labels[shown.position]})


def answers_table(conditions: Sequence[Condition]) -> Table:
    """A row for each condition: where to cut, and what that costs."""
    judged = [condition for condition in conditions if condition.agreement]
    rows = []
    for condition in conditions:
        best = condition.most_accurate
        cost = best.results[0].cost
        row: Row = {"condition": condition.name, "point": condition.points[best.position].label}
        row |= {"unsplit": condition.baseline_accuracy, "accuracy": best.accuracy}
        row |= {"payload": cost.payload_bytes, "macs": best.results[0].device_macs}
        short = f"C{judged.index(condition) + 1}" if condition in judged else None
        rows.append(row | {"short": short})
    return _table("answers", "Where to cut", rows, on_screen=True)


def standings_table(board: Leaderboard) -> Table:
    """A row for each predictor, the best first: its rank correlation over and in the conditions."""
    short = [f"C{k}" for k in range(1, len(board.conditions) + 1)]
    families = dict.fromkeys(family for s in board.standings for family in s.families)
    rows: list[Row] = []
    for standing in board.standings:
        row = _with_intervals(standing) | {"beats": (standing.beats_cui, standing.against_cui)}
        spearman = dict(zip(short, board.spearman[standing.predictor], strict=True))
        rows.append(row | row.pop("families") | spearman)
    ceiling = "" if board.ceiling is None else f" Noise ceiling: {board.ceiling:.2f}."
    name, also = f"Predictors over {len(short)} conditions", (*families, *short)
    return _table("standings", name, rows, {"ceiling": ceiling}, also=also, on_screen=True)


def _table(
    kind: str,
    name: str,
    rows: Sequence[Row],
    said: Mapping[str, str] | None = None,
    also: Sequence[str] = (),
    on_screen: bool = False,
) -> Table:
    """With the columns of ``kind``, then ``also`` some coefficients.

    Args:
        said: what headings and note quote.
    """
    said = said or {}
    columns = [replace(c, name=c.name.format(**said)) for c in TEXTS["columns"][kind]]
    columns += [Column(key, form=".2f") for key in also]
    return Table(name, columns, rows, TEXTS["notes"][kind].format(**said), on_screen)


def _with_intervals(found: PredictorScore | Standing) -> Row:
    """The fields, the coefficients with their intervals."""
    row = asdict(found)
    intervals = {key: row[f"{key}_ci95"] for key in row if f"{key}_ci95" in row}
    return row | {key: Estimate(row[key], *ends) for key, ends in intervals.items()}


def _cost(condition: Condition, name: str) -> tuple[float, str]:
    """By what it sorts, and in words."""
    if name not in condition.costs:
        return math.inf, "training of every bottleneck" if name in MEASURED else NOTHING
    cost = condition.costs[name]
    counts = {"images": cost.images, "forward": cost.forward, "backward": cost.backward}
    text = ", ".join(f"{count:,g} {what}" for what, count in counts.items() if count)
    return cost.images * (cost.forward + cost.backward), text or "none"
