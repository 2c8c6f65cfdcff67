"""The method as a library: any classifier, any labelled batches, plain arguments."""

from isplit.artifact import load_split_model as load
from isplit.library.cut import Split, split
from isplit.library.ranking import Ranking, rank

__all__ = ["Ranking", "Split", "load", "rank", "split"]
