"""How important each split point is to the answer: taps, curves, and the choice of a point."""

from isplit.importance.curves import PREDICTORS as PREDICTORS
from isplit.importance.curves import architecture_curves as architecture_curves
from isplit.importance.curves import computed_by as computed_by
from isplit.importance.curves import depends_on_rate as depends_on_rate
from isplit.importance.curves import importance_curves as importance_curves
from isplit.importance.curves import predictor_cost as predictor_cost
from isplit.importance.select import SAID as SAID
from isplit.importance.select import auto_rule as auto_rule
from isplit.importance.select import is_rule as is_rule
from isplit.importance.select import select as select
from isplit.importance.select import taken as taken
