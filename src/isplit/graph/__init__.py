"""The forward graph of a model: trace it, list the places to split it, cut it there."""

from isplit.graph.classifier import classifier_of
from isplit.graph.cutting import split_at, stretches
from isplit.graph.points import split_points
from isplit.graph.tracing import trace, uncompiled

__all__ = ["classifier_of", "split_at", "split_points", "stretches", "trace", "uncompiled"]
