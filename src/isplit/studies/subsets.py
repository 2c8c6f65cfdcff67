"""Random subsets of the test images, the same for every point of a condition (I-SPLIT Fig. 3)."""

from collections.abc import Sequence

import numpy as np

SUBSETS = 15  # I-SPLIT Fig. 3: box plots over 15 random subsets
SUBSET_SIZE = 800  # of 800 test images


def subset_accuracies(
    correct: Sequence[bool], subsets: int = SUBSETS, size: int = SUBSET_SIZE, seed: int = 0
) -> tuple[float, ...]:
    """Accuracy on each of several random subsets of the test images (I-SPLIT Fig. 3).

    Of each image in order: whether the answer was right. The subsets depend on the number of
    images and the seed alone, so they are the same for every point of a condition. They hold
    ``size`` images, and at most half of all: larger ones would be nearly the same subset.
    """
    right = np.asarray(correct, dtype=float)
    rng = np.random.default_rng(seed)
    chosen = subset_size(len(right), size)
    each = [right[rng.choice(len(right), chosen, replace=False)] for _ in range(subsets)]
    return tuple(float(part.mean()) for part in each)


def subset_size(test_images: int, size: int = SUBSET_SIZE) -> int:
    """Images in each random subset.

    >>> subset_size(2000), subset_size(500)
    (800, 250)
    """
    return max(1, min(size, test_images // 2))
