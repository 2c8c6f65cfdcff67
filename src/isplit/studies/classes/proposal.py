"""Two subsets of classes that lean to two split points: I-SPLIT section IV-B, Fig. 8."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

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

    def told(self, labels: Sequence[str]) -> str:
        """Where the classes peak, the largest group first, and what the two subsets are, in words.

        Args:
            labels: of all split points.
        """
        count = Counter(self.peaks.values())
        groups = sorted(count, key=lambda position: (-count[position], -position))
        at = ", ".join(f"{count[position]} at {labels[position]}" for position in groups)
        said = f"CUI of {len(self.peaks)} classes peaks: {at}."
        one, other = (subset.prefers for subset in self.subsets)
        alike = f" Both subsets prefer {labels[one]}; they differ only in how much."
        return said + (alike if one == other else "")


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
            the interior local maxima of each class, and of one that has none, all interior points.

    Raises:
        ValueError: fewer than four classes, or fewer than two points that could be peaks.
    """
    if len(curve.per_class) < 2 * FEWEST_CLASSES:
        raise ValueError(
            f"{len(curve.per_class)} classes have a curve: two subsets take {2 * FEWEST_CLASSES}"
        )
    own = {
        name: among or replace(curve, values=values).peaks() or range(1, len(values) - 1)
        for name, values in curve.per_class.items()
    }
    candidates = {position for positions in own.values() for position in positions}
    if len(candidates) < 2:
        raise ValueError(
            f"{len(candidates)} split points could be peaks of a class, two are needed"
        )
    of = curve.per_class
    peaks = {name: max(at, key=lambda p: (of[name][p], p)) for name, at in own.items()}
    first, second = splits = _commonest(curve, peaks, candidates)
    preference = {n: _log_ratio(v[second], v[first], max(v)) for n, v in curve.per_class.items()}
    by_preference = sorted(peaks, key=lambda name: preference[name])
    homes = {p: [name for name in by_preference if peaks[name] == p] for p in splits}
    size = min(map(len, homes.values()))
    if size < FEWEST_CLASSES:
        homes, size = dict.fromkeys(splits, by_preference), len(peaks) // 2
    size = min(size, classes_per_subset or size)

    def subset(leans_to: int, chosen: Sequence[str]) -> Subset:
        names = tuple(name for name in peaks if name in chosen)
        means = {p: fmean(curve.per_class[name][p] for name in names) for p in splits}
        at_home = sum(peaks[name] == leans_to for name in names)
        return Subset(names, leans_to, at_home, prefers=max(splits, key=lambda p: means[p]))

    one, other = subset(first, homes[first][:size]), subset(second, homes[second][-size:])
    return Proposal(splits, peaks, preference, (one, other))


def _commonest(curve: Curve, peaks: Mapping[str, int], candidates: set[int]) -> tuple[int, int]:
    """The two points where most classes peak, from the input on.

    Where all peak at one, the other is the candidate that comes closest on the whole: by the mean
    logarithm of each class's value there, as a share of its highest among the candidates.
    """
    count = Counter(peaks.values())

    def closeness(position: int) -> float:
        pairs = ((values[position], values[peaks[n]]) for n, values in curve.per_class.items())
        return fmean(_log_ratio(value, highest, highest) for value, highest in pairs)

    order = sorted(candidates, key=lambda p: (-count[p], -closeness(p), -p))
    first, second = sorted(order[:2])
    return first, second


def _log_ratio(value: float, other: float, highest: float) -> float:
    """log10 of value over other, neither taken for less than a millionth of the highest."""
    least = LEAST_SHARE * highest or 1.0
    return math.log10(max(value, least) / max(other, least))
