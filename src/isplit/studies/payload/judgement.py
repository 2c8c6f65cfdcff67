"""What the cells come to: the best at a point, codecs against bottlenecks, a few sentences.

Settings are chosen on the first half of the images and told by the second, else the luckiest wins.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from isplit.studies.collect import Run, grouped
from isplit.studies.conditions import STANDARD_ERRORS
from isplit.studies.naming import facts
from isplit.studies.payload.cells import Row
from isplit.studies.payload.figures import TEXTS
from isplit.studies.payload.statistics import changes

SPARSE = 0.6  # bits an element


def best_of(own: Sequence[Row], max_loss: float) -> Row:
    """The cell of the smallest payload at a point that loses no more; empty where there is none.

    ``sparse`` is the change of accuracy of the most accurate cell that sends at most 0.6 bit an
    element.
    """
    good = [cell for cell in own if cell["chosen"] >= -max_loss]
    sparse = most_accurate([cell for cell in own if cell["bits_per_element"] <= SPARSE])
    about = {"sparse": sparse.get("told"), "sparse_error": sparse.get("told_error")}
    return about | min(good, key=lambda cell: cell["payload_bytes"], default={})


def most_accurate(found: Sequence[Row]) -> Row:
    """The cell that loses least, the smaller of equals; empty where there is none."""
    return max(found, key=lambda cell: (cell["chosen"], -cell["payload_bytes"]), default={})


def rivals(runs: Sequence[Run], cells: Sequence[Row]) -> Iterator[Row]:
    """For each trained bottleneck the most accurate cell of its point that sends no more, if any.

    ``ahead`` is the change of accuracy by the cell minus that by the bottleneck, which is of all
    test images and holds what more training brought.
    """
    for run in (run for run in runs if run.result.bottleneck is not None):
        at, sent, got = run.result.split, run.result.cost.payload_bytes, run.result.accuracy
        small = [c for c in cells if c["index"] == at.index and c["payload_bytes"] <= sent]
        if cell := most_accurate(small):
            size = [f"{k} {v}" for k, v in facts(run).items() if k in ("rate", "code_elements")]
            change = got.final - got.baseline
            trained = {"bottleneck": size[0], "bottleneck_bytes": sent, "bottleneck_change": change}
            error = math.hypot(cell["told_error"], _change_error(run))
            yield cell | trained | {"ahead": cell["told"] - change, "ahead_error": error}


def _change_error(run: Run) -> float:
    """Standard error of what the bottleneck changes: paired; at most that of two sets of images."""
    if run.correct is None or run.unsplit_correct is None:
        got = run.result.accuracy
        spread = sum(accuracy * (1 - accuracy) for accuracy in (got.final, got.baseline))
        return math.sqrt(spread / got.test_images)
    return changes(np.array(run.correct), np.array(run.unsplit_correct))["change_error"]


def answer(bests: Sequence[Row]) -> str:
    """The point with the smallest payload that loses no more than is allowed."""
    best = min(bests, key=lambda row: row.get("payload_bytes", float("inf")))
    if "codec" not in best:
        return str(TEXTS["none"])
    rle = TEXTS["rle"].format(1 / best["of_rle"]) if best["of_rle"] < 1 else ""
    points = {key: 100 * best[key] for key in ("told", "told_error")}
    return str(TEXTS["answer"].format(**best | points, rle=rle))


def verdict(cells: Sequence[Row]) -> str:
    """Which codec is the smallest, and how many bits the accuracy needs."""
    same_levels = ("index", "ranges", "bits")
    groups = [*grouped(cells, lambda cell: tuple(cell[key] for key in same_levels)).values()]
    wins = Counter(min(same, key=lambda c: c["payload_bytes"])["codec"] for same in groups)
    smallest = ", ".join(f"{codec} {count}" for codec, count in wins.most_common())
    ranges, losing = cells[0]["ranges"], {cell["bits"]: 0 for cell in cells}
    for cell in (same[0] for same in groups if same[0]["ranges"] == ranges):
        losing[cell["bits"]] += cell["change"] < -STANDARD_ERRORS * cell["change_error"]
    lost = ", ".join(f"{count} at {bits}" for bits, count in losing.items())
    counts = {"groups": len(groups), "smallest": smallest, "ranges": ranges, "losing": lost}
    return str(TEXTS["verdict"].format(**counts))
