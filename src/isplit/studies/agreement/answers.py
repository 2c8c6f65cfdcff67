"""Where to cut: the most accurate point of each condition, and why it is this one."""

from collections.abc import Sequence
from typing import Any

from isplit.report.table import Column, Table
from isplit.studies.agreement.verdict import price
from isplit.studies.answer import device_macs
from isplit.studies.conditions import Condition, Retrained

ANSWERS = (
    Column("short", "", screen=5),
    Column("point", "cut after", screen=2),
    Column("unsplit", form=".3f", screen=3),
    Column("accuracy", "split", form=".3f", screen=3),
    Column("payload", "bytes a frame", form=",d", screen=4),
    Column("macs", "device", "10⁶ MACs", ",.1f", 1e-6, screen=6),
    Column("condition", fold=24, screen=1),
)


def most_accurate(condition: Condition) -> Retrained:
    """The point with the highest accuracy, of equal ones the deepest."""
    return max(condition.retrained, key=lambda t: (t.accuracy, t.position))


def why(condition: Condition, best: Retrained) -> str:
    """Why the answer is this point, and what the predictor of the runs would have taken."""
    n, label = len(condition.retrained), condition.points[best.position].label
    if n < 2:
        return f"{label} is the only point that was trained."
    said = f"{label} is the most accurate of {n} trained points"
    score = condition.agreement and condition.agreement.predictors.get(condition.ranked_by)
    if not score or condition.ranked_by == "cui":  # of which the verdict speaks
        return f"{said}."
    return f"{said}; by {condition.ranked_by}, {price(score)}."


def answers_table(conditions: Sequence[Condition]) -> Table:
    """A row for each condition: where to cut, and what that costs."""
    rows = []
    judged = [condition for condition in conditions if condition.agreement]
    for condition in conditions:
        best = most_accurate(condition)
        row: dict[str, Any] = {"condition": condition.name}
        row |= {"point": condition.points[best.position].label}
        row |= {"unsplit": condition.baseline_accuracy, "accuracy": best.accuracy}
        cost = {"payload": best.results[0].cost.payload_bytes, "macs": device_macs(best.results[0])}
        short = f"C{judged.index(condition) + 1}" if condition in judged else None
        rows.append(row | cost | {"short": short})
    note = "The most accurate trained point of each condition, on the test images."
    return Table("Where to cut", ANSWERS, rows, note, on_screen=True)
