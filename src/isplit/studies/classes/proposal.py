"""Do some classes want another split point: I-SPLIT section IV-B, Fig. 8.

Where the curve of each class peaks, and two subsets of classes that lean to two different points.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from isplit.importance import select
from isplit.importance.curve import Curve

FEWEST_CLASSES = 2  # that can be told apart
LEAST_SHARE = 1e-6  # of a class's highest value; a map that is zero everywhere has no logarithm


@dataclass(frozen=True)
class Subset:
    """Classes that lean to one of two split points.

    Attributes:
        classes: in the order of the data set.
        leans_to: position of the point; each class prefers it more than those of the other subset.
        at_home: how many of the classes have their highest peak there.
        prefers: position of that of the two points where the mean curve of the classes is higher.
    """

    classes: tuple[str, ...]
    leans_to: int
    at_home: int
    prefers: int


@dataclass(frozen=True)
class Proposal:
    """Two split points, and the classes that tell them apart.

    Attributes:
        splits: the two positions, from the input on.
        peaks: position where the curve of each class is highest among the candidates, by name.
        preference: log10 of its value at the second point over that at the first, by name.
        subsets: those who lean to the first and to the second point, equally many.
    """

    splits: tuple[int, int]
    peaks: Mapping[str, int]
    preference: Mapping[str, float]
    subsets: tuple[Subset, Subset]

    def groups(self) -> dict[int, tuple[str, ...]]:
        """The classes by the position of their peak, the largest group first."""
        count = Counter(self.peaks.values())
        return {
            position: tuple(name for name, peak in self.peaks.items() if peak == position)
            for position in sorted(count, key=lambda p: (-count[p], -p))
        }


def propose(
    curve: Curve, among: Sequence[int] | None = None, classes_per_subset: int | None = None
) -> Proposal:
    """The two commonest peaks of the classes, and for each the classes that lean to it most.

    The subsets are equally large: as many classes as the smaller of the two groups has, at most
    ``classes_per_subset``. Where one group has no two classes (all peak at one point, say), the
    classes are halved by their preference: then the subsets differ in how much they prefer, not
    in what.

    Args:
        curve: with values per class.
        among: positions that may be peaks, as the paper looks at two points of one block; ``None``:
            the interior local maxima of each class.

    Raises:
        ValueError: fewer than four classes, or fewer than two points that could be peaks.
    """
    if len(curve.per_class) < 2 * FEWEST_CLASSES:
        raise ValueError(
            f"{len(curve.per_class)} classes have a curve: two subsets take {2 * FEWEST_CLASSES}"
        )
    candidates = {name: _candidates(curve, name, among) for name in curve.per_class}
    peaks = {
        name: max((values[p], p) for p in candidates[name])[1]
        for name, values in curve.per_class.items()
    }
    first, second = splits = _commonest(curve, peaks, set().union(*candidates.values()))
    preference = {n: _log_ratio(v[second], v[first], max(v)) for n, v in curve.per_class.items()}
    by_preference = sorted(peaks, key=lambda name: preference[name])
    homes = {p: [name for name in by_preference if peaks[name] == p] for p in splits}
    size = min(map(len, homes.values()))
    if size < FEWEST_CLASSES:
        homes, size = dict.fromkeys(splits, by_preference), len(peaks) // 2
    size = min(size, classes_per_subset or size)
    leaning = {first: homes[first][:size], second: homes[second][-size:]}
    subsets = [_subset(curve, names, peaks, splits, p) for p, names in leaning.items()]
    return Proposal(splits, peaks, preference, (subsets[0], subsets[1]))


def positions(among: Sequence[str | int] | None, curve: Curve) -> list[int] | None:
    """The split points that ``study.among`` names, from the input on.

    Raises:
        ValueError: one is no split point of the model, or there are fewer than two.
    """
    if among is None:
        return None
    chosen = [point.index for point in select(curve, among, key="study.among")]
    if len(chosen) < 2:
        raise ValueError(f"study.among={list(among)} must name at least two split points")
    return chosen


def _candidates(curve: Curve, name: str, among: Sequence[int] | None) -> Sequence[int]:
    """Positions where the curve of one class may be highest: its own peaks, if it has any."""
    if among is not None:
        return among
    own = replace(curve, values=curve.per_class[name])
    return own.peaks() or range(1, len(own.values) - 1)


def _commonest(curve: Curve, peaks: Mapping[str, int], candidates: set[int]) -> tuple[int, int]:
    """The two points where most classes peak, from the input on.

    Where all peak at one, the other is the candidate that comes closest on the whole: by the mean
    logarithm of each class's value there, as a share of its highest among the candidates.
    """
    per_class = curve.per_class
    if len(candidates) < 2:
        raise ValueError(
            f"{len(candidates)} split points could be peaks of a class, two are needed"
        )
    count = Counter(peaks.values())

    def closeness(position: int) -> float:
        pairs = ((values[position], values[peaks[n]]) for n, values in per_class.items())
        return fmean(_log_ratio(value, highest, highest) for value, highest in pairs)

    order = sorted(candidates, key=lambda p: (-count[p], -closeness(p), -p))
    first, second = sorted(order[:2])
    return first, second


def _log_ratio(value: float, other: float, highest: float) -> float:
    """log10 of value over other, neither taken for less than a millionth of the highest."""
    least = LEAST_SHARE * highest or 1.0
    return math.log10(max(value, least) / max(other, least))


def _subset(
    curve: Curve,
    chosen: Sequence[str],
    peaks: Mapping[str, int],
    splits: tuple[int, int],
    leans_to: int,
) -> Subset:
    names = tuple(name for name in peaks if name in chosen)
    means = {p: fmean(curve.per_class[name][p] for name in names) for p in splits}
    at_home = sum(peaks[name] == leans_to for name in names)
    return Subset(names, leans_to, at_home, max(splits, key=lambda p: means[p]))
