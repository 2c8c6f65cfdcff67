"""The folder of a job: what is written there for people and for programs."""

from isplit.outputs.agreement import Pictures, write_agreement
from isplit.outputs.classes import write_classes
from isplit.outputs.split import conclude, split_result, write_curve, write_split

__all__ = [
    "Pictures",
    "conclude",
    "split_result",
    "write_agreement",
    "write_classes",
    "write_curve",
    "write_split",
]
