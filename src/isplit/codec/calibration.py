"""A profile from the features of calibration images: ranges, levels and probabilities.

Legend: N samples, C channels, M elements of a channel, K contexts, S symbols.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isplit.codec.by_rate import by_rate
from isplit.codec.codec import Codec, as_array
from isplit.codec.form import Form
from isplit.codec.grid import find_ranges, rows_of, uniform
from isplit.codec.levels import Levels
from isplit.codec.prediction import fit_prediction
from isplit.codec.profile import Profile
from isplit.codec.symbols import symbols_of
from isplit.codec.tables import STATES, TOTAL, Tables, context_sums, to_parts

MAX_CONTEXTS, PREDICTED_CONTEXTS = 12, 16
_MAX_PARTS = 1 << 18  # of all channels and contexts together: 512 kB
_SYMBOL_BITS, _LARGEST_GROUP = 8, 4
_LONG_BYTES = 600  # from which nine bytes more for four states are little
_PRIOR_SYMBOLS = 64.0  # seen before the first sample, in the ratio that the whole tensor shows
Floats = NDArray[np.float64]


def calibrate(codec: Codec, features: ArrayLike) -> Profile:
    """What both sides must hold to exchange bound payloads of ``codec``.

    Ranges are those of all samples together; features that are never negative begin at zero, so
    that the zeros of a ReLU are a level of their own in every later image. The probabilities of
    ``ans`` are counted on the levels of these samples: 100 give a good table, 500 a better one.

    Args:
        codec: its settings count; a profile that it has does not.
        features: of calibration images (N, ...), none of which is used to report a size.

    Raises:
        ValueError: no samples, NaN or infinity.
    """
    batch, codec = as_array(features), replace(codec, profile=None)
    if batch.ndim < 1 or not batch.size:
        raise ValueError(f"calibration features of shape {batch.shape} hold no samples")
    profile = Profile(codec.get_config(), batch.shape[1:])
    if not isinstance(codec, Levels):
        return profile
    form = codec.form(profile.shape)
    planes = batch.astype(np.float32).reshape(len(batch), *form.plane)
    low, high = find_ranges(planes, codec.bits, codec.per, codec.range)
    if codec.range == "rate":
        grid = by_rate(rows_of(planes, codec.per), low, high, codec.bits)
    else:
        grid = uniform(np.where(low > 0, np.float32(0), low), high, codec.bits)
    profile = replace(profile, grid=grid)
    if codec.name != "ans":
        return profile
    return with_tables(profile, codec.bound(profile).levels(batch))


def with_tables(profile: Profile, levels: NDArray[np.uint8]) -> Profile:
    """The profile with the probabilities of levels (N, C, M), and what predicts their contexts."""
    codec = Levels(**profile.config)
    form = codec.form(profile.shape)
    if codec.context == "channels":
        most = _contexts(form.channels << form.bits, PREDICTED_CONTEXTS)
        form = replace(form, prediction=fit_prediction(levels, form.columns, most))
    return replace(profile, tables=fit_tables(levels, form), prediction=form.prediction)


def fit_tables(levels: NDArray[np.uint8], form: Form) -> Tables:
    """Probabilities for every channel and context from levels (N, C, M).

    A channel's context that was seldom seen leans on what its channel and its context show over
    the whole tensor: their product divided by what all of it shows.
    """
    channels, size = form.plane
    by, group = form.prediction, max(1, min(_LARGEST_GROUP, _SYMBOL_BITS // form.bits, size))
    group = 1 if by else group
    symbols = 1 << form.bits * group
    most = 1 if by else _contexts(channels * symbols, MAX_CONTEXTS)
    context = _classes(levels, form, group, most)
    contexts = by.contexts if by else int(context.max()) + 1
    counts = np.zeros((channels, contexts, symbols))
    for sample in levels:
        found = symbols_of(sample[None], form, group, context.astype(np.uint16))[0]
        cells = found + np.arange(channels)[:, None] * counts[0].size
        counts += np.bincount(cells.reshape(-1), minlength=counts.size).reshape(counts.shape)
    weights = _weights(counts if group > 1 else _shared(counts))
    parts = to_parts(weights, np.ones(weights.shape, bool))
    body_bytes = (counts * np.log2(TOTAL / parts)).sum() / 8 / len(levels)
    states = STATES if body_bytes >= _LONG_BYTES else 1
    return Tables(parts, context, form.bits, group, states)


def _classes(levels: NDArray[np.uint8], form: Form, group: int, contexts: int) -> NDArray[np.uint8]:
    """The context of each sum of neighbours: zero alone, then about equally many in each."""
    sums = np.arange(context_sums(form.bits, group), dtype=np.uint16)
    seen = np.zeros(len(sums))
    for sample in levels if contexts > 1 else ():
        found = symbols_of(sample[None], form, group, sums)
        seen += np.bincount((found >> form.bits * group).reshape(-1), minlength=len(sums))
    if not seen[1:].any():
        return np.zeros(len(sums), np.uint8)
    before = np.cumsum(seen[1:]) - seen[1:]
    parts = np.minimum(before / seen[1:].sum() * (contexts - 1), contexts - 2).astype(int)
    _, classes = np.unique(parts, return_inverse=True)
    return np.concatenate([[0], classes + 1]).astype(np.uint8)


def _contexts(parts: int, most: int) -> int:
    """How many contexts there are where one needs so many parts."""
    return int(np.clip(_MAX_PARTS // parts, 1, most))


def _shared(counts: Floats) -> Floats:
    """Counts of fine levels spread evenly over buckets that get wider as levels get higher."""
    levels = np.arange(counts.shape[2])
    width = np.maximum(1, 1 << (np.log2(np.maximum(levels, 1)).astype(int) - 3))
    starts = np.flatnonzero(levels % width == 0)
    sums = np.add.reduceat(counts, starts, axis=2)
    return np.repeat(sums / width[starts], width[starts], axis=2)


def _weights(counts: Floats) -> Floats:
    """Counts and what is believed before them, (C, K, S)."""
    overall = counts.sum((0, 1)) + 0.5
    overall /= overall.sum()
    by_channel = _ratios(counts.sum(1) + _PRIOR_SYMBOLS * overall)
    by_context = _ratios(counts.sum(0) + _PRIOR_SYMBOLS * overall)
    prior = by_channel[:, None] * by_context / overall
    return counts + _PRIOR_SYMBOLS * _ratios(prior)


def _ratios(weights: Floats) -> Floats:
    ratios: Floats = weights / weights.sum(-1, keepdims=True)
    return ratios
