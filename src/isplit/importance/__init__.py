"""How important each split point is to the answer: taps, curves, and the choice of a point."""

from isplit.importance.curves import (
    PREDICTORS,
    architecture_curves,
    computed_by,
    depends_on_rate,
    importance_curves,
    predictor_cost,
)
from isplit.importance.select import RULES, Limits, select
from isplit.importance.settings import CuiSettings
from isplit.importance.taps import tapped

__all__ = [
    "PREDICTORS",
    "RULES",
    "CuiSettings",
    "Limits",
    "architecture_curves",
    "computed_by",
    "depends_on_rate",
    "importance_curves",
    "predictor_cost",
    "select",
    "tapped",
]
