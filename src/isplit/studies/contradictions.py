"""What no job comes to: results and curves whose numbers contradict each other."""

import re
from collections.abc import Mapping
from typing import Any

from isplit.importance.curve import Curve
from isplit.point import SplitPoint
from isplit.result import SplitResult

MOST_ELEMENTS = 2**40  # of the features of one image
FINGERPRINT = re.compile(r"[0-9a-f]{16}")


def refuse_contradictions(result: SplitResult, curve: Curve, config: Mapping[str, Any]) -> None:
    """Refuse numbers that no job comes to, and files that are not of one job.

    Raises:
        ValueError: the first of these.
    """
    points, split, classes = curve.points, result.split, result.per_class
    reached, bottleneck = result.accuracy.reached, result.bottleneck
    shares = (*reached.values(), *classes.baseline_f1, *classes.split_f1)
    names = classes.class_names
    of_classes = {len(names), len(classes.baseline_f1), len(classes.split_f1)}
    fingerprints = [stage.fingerprint for stage in result.stages.values()]
    right = {
        "accuracy: a share is not in 0..1": all(0 <= share <= 1 for share in shares),
        "accuracy.test_images: there are none": result.accuracy.test_images > 0,
        "per_class: not as many as classes": of_classes == {result.num_classes}
        and len(set(names)) == len(names),
        "stages: not those that have an accuracy": set(reached) == set(result.stages)
        and ("codec" in reached, "autoencoder" in reached) == (bool(result.codec), bool(bottleneck))
        and ("finetune" in reached or not bottleneck),
        "stages: one has no fingerprint": all(map(FINGERPRINT.fullmatch, fingerprints)),
        "curve.json: its points are not in order": points != ()
        and all(point.index == place for place, point in enumerate(points)),
        "curve.json: a point has no size or no cost": all(map(_is_whole, points)),
        "curve.json: per_class has other points": all(
            len(values) == len(points) for values in curve.per_class.values()
        ),
        "config.yaml: it has another seed": result.seed == config["seed"],
        "config.yaml: it has another codec": config["codec"]["name"]
        == (result.codec.name if result.codec else "none"),
        "config.yaml: it has another rate": bottleneck is None
        or config["bottleneck"]["code_elements"] is not None
        or bottleneck.compression_rate == config["bottleneck"]["compression_rate"],
        "split: it is not among the points of curve.json": split.layer
        in [point.name for point in points if point.index == split.index],
    }
    if wrong := [what for what, holds in right.items() if not holds]:
        raise ValueError(wrong[0])


def _is_whole(point: SplitPoint) -> bool:
    macs = (point.head_macs, point.tail_macs)
    has_size = point.shape != () and min(point.shape) > 0 and point.numel < MOST_ELEMENTS
    return has_size and min(*macs, point.head_params) >= 0 < max(macs)
