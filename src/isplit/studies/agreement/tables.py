"""The predictors and the classes of a condition, as tables."""

import math
from dataclasses import asdict
from typing import Any

from isplit.report.table import NOTHING, Column, Estimate, Table
from isplit.studies.conditions import Condition, peak_of_each_class, shown_split, split_f1
from isplit.studies.scores import PredictorScore

PREDICTORS = (
    Column("predictor", fold=20, screen=1),
    Column("n", "N"),
    Column("spearman", "rho [95\N{NO-BREAK SPACE}%]", form="+.2f", screen=2),
    Column("auto", "auto takes", screen=4),
    Column("rule", "its"),
    Column("auto_regret", "auto loses", "points", ".1f", 100, screen=3),
    Column("pick", "highest value", screen=5),
    Column("regret", "highest value loses", "points", ".1f", 100, screen=3),
    Column("regret_top3", "best of 3 loses", "points", ".1f", 100, screen=7),
    Column("top3_hits", "top 3 hits"),
    Column("kendall", "Kendall [95\N{NO-BREAK SPACE}%]", form="+.2f", screen=8),
    Column("pearson", "Pearson [95\N{NO-BREAK SPACE}%]", form="+.2f"),
    Column("spearman_p", "Spearman p", form=".4f"),
    Column("spearman_given_depth", "given depth", form=".2f"),
    Column("spearman_equal_size", "equal size", form=".2f"),
    Column("cost", form=lambda cost: cost[0], sort=lambda cost: cost[1]),
)


def predictors_table(condition: Condition) -> Table | None:
    """A row for each predictor, the best first: how its order agrees, what its choices lose."""
    if condition.agreement is None:
        return None
    scores = condition.agreement.predictors
    names = sorted(scores, key=lambda n: -_or_least(scores[n].spearman))
    return Table(
        f"Predictors over N={condition.agreement.n} trained points",
        PREDICTORS,
        [{"predictor": n} | _score(scores[n]) | {"cost": _cost(condition, n)} for n in names],
        "rho: Spearman's rank correlation with the measured accuracy. auto: what split.layer=auto "
        "takes, by the rule that the predictor is recommended with. Loses: against the most "
        "accurate point.",
        on_screen=True,
    )


def classes_table(condition: Condition) -> Table | None:
    """A row for each class: F1 before and after the split, and where its own curve peaks."""
    if not condition.retrained:
        return None
    shown, cui = shown_split(condition), condition.curves.get("cui")
    peaks = {} if cui is None else peak_of_each_class(cui)
    labels = [point.label for point in condition.points]
    columns = (
        Column("class"),
        Column("f1_unsplit", "F1 unsplit", form=".3f"),
        Column("f1_split", f"F1 split at {labels[shown.position]}", form=".3f"),
        Column("difference", form="+.3f"),
        Column("peak", "cui peaks at"),
    )
    f1 = zip(condition.class_names, condition.baseline_f1, split_f1(shown), strict=True)
    rows = [
        {"class": name, "f1_unsplit": before, "f1_split": after, "difference": after - before}
        | {"peak": labels[peaks[name]] if name in peaks else None}
        for name, before, after in f1
    ]
    return Table("Classes", columns, rows, "F1 on the test images.")


def _score(score: PredictorScore) -> dict[str, Any]:
    """Its fields, the coefficients with their intervals."""
    row = asdict(score)
    for name in ("spearman", "kendall", "pearson"):
        row[name] = Estimate(row[name], *row[f"{name}_ci95"])
    return row


def _cost(condition: Condition, name: str) -> tuple[str, float]:
    """In words, and by what it sorts."""
    if name not in condition.costs:
        return "training of every bottleneck" if condition.trains(name) else NOTHING, math.inf
    cost = condition.costs[name]
    counts = (cost.images, cost.forward, cost.backward, cost.training_steps)
    pairs = zip(counts, ("images", "forward", "backward", "steps"), strict=True)
    text = ", ".join(f"{count:,g} {what}" for count, what in pairs if count)
    return text or "none", cost.images * (cost.forward + cost.backward)


def _or_least(value: float) -> float:
    return -math.inf if math.isnan(value) else value
