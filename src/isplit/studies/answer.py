"""The answer to "where do I cut, and what do I lose": one sentence, and why this point."""

from isplit.importance import SAID, auto_rule
from isplit.importance.curve import Curve
from isplit.result import SplitResult


def answer(result: SplitResult, accuracy: float | None = None) -> str:
    """``Cut after block5_conv2: accuracy 0.900 -> 0.887, 2,048 -> 32 bytes a frame, ...``.

    Args:
        accuracy: mean over several trainings; ``None``: that of the result.
    """
    cost, accuracies = result.cost, result.accuracy
    after = accuracies.final if accuracy is None else accuracy
    return (
        f"Cut after {result.split.label}: accuracy {accuracies.baseline:.3f} -> {after:.3f}, "
        f"{cost.feature_bytes:,} -> {cost.payload_bytes:,} bytes a frame, "
        f"{device_macs(result) / 1e6:,.1f} M MACs on the device, "
        f"{server_macs(result) / 1e6:,.1f} M on the server."
    )


def device_macs(result: SplitResult) -> int:
    """Multiply-accumulates of one image in head and encoder."""
    return result.cost.head_macs + result.cost.encoder_macs


def server_macs(result: SplitResult) -> int:
    """Multiply-accumulates of one image in decoder and tail."""
    return result.cost.tail_macs + result.cost.decoder_macs


def auto_and_highest(curve: Curve, auto: int) -> tuple[str, str]:
    """What auto takes by the curve and by which rule, and why not the point of highest value.

    Args:
        auto: position of what auto takes.
    """
    taken, highest = curve.points[auto], curve.points[curve.ranking()[0]]
    rule = auto_rule(curve.kind)
    as_ruled = auto in curve.peaks() if rule == "peak" else taken == highest
    kind = SAID[rule] if as_ruled else "highest value that may be taken"
    passed = "" if highest == taken else f", passed over: {why_not(curve, highest.index)}"
    return f"auto: {taken.label} ({kind})", f"highest value: {highest.label}{passed}"


def why_not(curve: Curve, position: int) -> str:
    """Why auto does not take the point with the highest value."""
    if auto_rule(curve.kind) == "best":
        return "outside the limits, or not trained"
    if position == 0:
        return "the first point, so no interior peak"
    if position == len(curve.points) - 1:
        return "the last point, so no interior peak"
    return "outside the limits, or not trained" if position in curve.peaks() else "no peak"
