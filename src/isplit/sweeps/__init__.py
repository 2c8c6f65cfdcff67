"""Many jobs as one: which split points a command stands for, what came of each."""

from isplit.sweeps.points import layer_key, points_asked, points_of

__all__ = ["layer_key", "points_asked", "points_of"]
