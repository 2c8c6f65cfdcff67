"""How important each split point is to the answer: taps, curves, and the choice of a point."""

from isplit.importance.curves import PREDICTORS, CuiSettings, depends_on_rate, importance_curves
from isplit.importance.select import RULES, Limits, select
from isplit.importance.taps import tapped

__all__ = [
    "PREDICTORS",
    "RULES",
    "CuiSettings",
    "Limits",
    "depends_on_rate",
    "importance_curves",
    "select",
    "tapped",
]
