"""How important each split point is to the answer: taps, curves, and the choice of a point."""

from isplit.importance.curves import (
    PREDICTORS,
    architecture_curves,
    computed_by,
    depends_on_rate,
    importance_curves,
    predictor_cost,
)
from isplit.importance.select import SAID, Limits, auto_rule, is_rule, select, taken
from isplit.importance.settings import CuiSettings
from isplit.importance.taps import tapped

__all__ = [
    "PREDICTORS",
    "SAID",
    "CuiSettings",
    "Limits",
    "architecture_curves",
    "auto_rule",
    "computed_by",
    "depends_on_rate",
    "importance_curves",
    "is_rule",
    "predictor_cost",
    "select",
    "taken",
    "tapped",
]
