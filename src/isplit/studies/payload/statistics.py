"""How features are distributed, and whether a change of accuracy is more than chance.

Carra and Neglia 2023, Sections III and IV. Legend: N images, T frames, C channels,
X positions of a map.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
AXES = {"channels": (1, 2), "rows": (-2, 4), "columns": (-1, 3)}  # which, of at least so many
MOST_RELEVANT = 0.1  # of the coefficients, Section IV
LOWEST = 0.25  # of the frequencies
SHARES = np.linspace(0, 1, 51)  # of a distribution function


def changes(right: NDArray[Any], unsplit: NDArray[Any]) -> dict[str, float]:
    """Accuracy minus that of the unsplit net on the same images, each with its standard error.

    ``change`` is of all images, ``chosen`` of the first half, by which settings are chosen, and
    ``told`` of the second. With d in -1, 0, 1 for each image (right before and wrong now: -1) the
    error is sqrt((mean d^2 - (mean d)^2) / N), as in McNemar's test.

    >>> changes(np.array([1, 1, 1, 0]), np.array([1, 0, 1, 0]))["change"]
    0.25
    """
    d = right.astype(float) - unsplit
    parts = {"change": d, "chosen": d[: len(d) // 2], "told": d[len(d) // 2 :]}
    errors = {f"{name}_error": float(p.std() / np.sqrt(len(p))) for name, p in parts.items()}
    return {name: float(part.mean()) for name, part in parts.items()} | errors


def in_proportion(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """An order of balanced images in which any beginning has the classes in the same proportion.

    Balanced images have the classes in turn, so that of a rare class none are left for the end.

    >>> in_proportion(np.array([0, 1, 0, 1, 0, 0, 0, 0])).tolist()
    [0, 1, 2, 4, 5, 3, 6, 7]
    """
    of_class = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    places = np.empty(len(labels))
    for images in of_class:
        places[images] = (np.arange(len(images)) + 0.5) / len(images)
    return np.argsort(places, kind="stable")


def samples(features: Floats, frames: Sequence[Floats], maps: Floats) -> dict[str, Floats]:
    """Coefficients, the most relevant of them, and differences of neighbours (Figs. 1 to 4).

    ``frames`` are differences of one frame to the next; what there is no axis for is left out.

    Args:
        features: (N, C, ...).
        frames: features of sequences (T, C, ...), equally long.
        maps: relevance of each position (N, X); of fewer than ten none is among the first tenth.
    """
    count = int(maps.shape[1] * MOST_RELEVANT)
    best_N1X = np.argsort(-maps, axis=1, kind="stable")[:, None, :count]
    flat_NCX = features.reshape(*features.shape[:2], -1)
    found = {"coefficients": features, "relevant": np.take_along_axis(flat_NCX, best_N1X, 2)}
    found |= {of: np.diff(features, axis=a) for of, (a, d) in AXES.items() if features.ndim >= d}
    found["frames"] = np.diff(np.stack(frames), axis=1)
    return {name: values for name, values in found.items() if values.size}


def statistics(sampled: Mapping[str, Floats]) -> dict[str, float]:
    """Part of zeros, spread over that of the coefficients, and the low frequencies.

    The spread of differences is 1.41 where neighbours have nothing in common, 1 where their
    correlation is a half; each halving would save a bit. ``low`` is the part of the energy, without
    the mean, in the lowest quarter of the frequencies of the tensor as one vector: 0.25 where it
    has no structure.
    """
    features = sampled["coefficients"]
    vectors = features.reshape(len(features), -1)
    energy = np.abs(np.fft.rfft(vectors - vectors.mean(1, keepdims=True))[:, 1:]) ** 2
    lowest = energy[:, : round(energy.shape[1] * LOWEST)].sum()
    found = {f"zeros_{of}": float((values == 0).mean()) for of, values in sampled.items()}
    found |= {f"spread_{of}": float(v.std() / (features.std() or 1)) for of, v in sampled.items()}
    return found | {"low": float(lowest / (energy.sum() or 1))}


def distributions(sampled: Mapping[str, Floats]) -> Iterator[dict[str, Any]]:
    """Rows of the distribution functions: the value below which a share of the numbers lies."""
    for of, values in sampled.items():
        for share, value in zip(SHARES, np.quantile(values, SHARES), strict=True):
            yield {"of": of, "share": float(share), "value": float(value)}
