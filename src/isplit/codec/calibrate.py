"""A profile from the features of calibration images: ranges, levels and probabilities.

Legend: N samples, C channels, M elements of a channel, K contexts, S symbols.
"""

import numpy as np
from numpy.typing import ArrayLike

from isplit.codec.codec import Codec, as_array
from isplit.codec.grid import uniform
from isplit.codec.levels import Levels
from isplit.codec.profile import Profile
from isplit.codec.ranges import find_ranges
from isplit.codec.statistics import fit_tables


def calibrate(codec: Codec, features: ArrayLike) -> Profile:
    """What both sides must hold to exchange bound payloads of ``codec``.

    Ranges are those of all samples together; features that are never negative begin at zero, so
    that the zeros of a ReLU are a level of their own in every later image. The probabilities of
    ``ans`` are counted on the levels of these samples: 100 give a good table, 500 a better one.

    Args:
        codec: without a profile.
        features: of calibration images (N, ...), none of which is used to report a size.

    Raises:
        ValueError: no samples, NaN or infinity.
    """
    batch = as_array(features)
    if batch.ndim < 1 or not batch.size:
        raise ValueError(f"calibration features of shape {batch.shape} hold no samples")
    profile = Profile(codec.get_config(), batch.shape[1:])
    if not isinstance(codec, Levels):
        return profile
    planes = batch.astype(np.float32).reshape(len(batch), *codec.form(batch.shape[1:]).plane)
    low, high = find_ranges(planes, codec.bits, codec.per, codec.range)
    low = np.where(low > 0, np.float32(0), low)
    profile = Profile(profile.config, profile.shape, uniform(low, high, codec.bits))
    if codec.name != "ans":
        return profile
    tables = fit_tables(codec.bound(profile).levels(batch), codec.form(profile.shape))
    return Profile(profile.config, profile.shape, profile.grid, tables)
