"""The forward graph of a model: trace it, list the places to split it, cut it there."""

from isplit.graph.cutting import split_at as split_at
from isplit.graph.cutting import stretches as stretches
from isplit.graph.layers import classifier_of as classifier_of
from isplit.graph.layers import with_aliases as with_aliases
from isplit.graph.points import split_points as split_points
from isplit.graph.tracing import trace as trace
from isplit.graph.tracing import uncompiled as uncompiled
