"""What a mark in a figure says of its point or class, a line each."""

from isplit.studies.agreement.noise import accuracy_error
from isplit.studies.agreement.points import RANKED
from isplit.studies.conditions import Condition


def of_point(condition: Condition, position: int) -> str:
    """Layer, shape, bytes, accuracies and ranks of a split point."""
    point = condition.points[position]
    lines = [
        f"{point.label} ({point.index}), {point.name}",
        f"{' x '.join(map(str, point.shape))}, {point.feature_bytes:,} bytes",
        f"head {point.head_macs / 1e6:,.1f} M MACs",
    ]
    for trained in condition.retrained:
        if trained.position == position:
            error = accuracy_error(trained, condition.test_images)
            lines += [
                f"accuracy {trained.accuracy:.3f} ± {error:.3f}",
                f"unsplit {condition.baseline_accuracy:.3f}",
                f"payload {trained.results[0].cost.payload_bytes:,} bytes",
            ]
    ranks = [(kind, condition.curves[kind]) for kind in RANKED if kind in condition.curves]
    lines += [f"rank by {k} {c.rank(position)} of {len(condition.points)}" for k, c in ranks]
    return "; ".join(lines)
