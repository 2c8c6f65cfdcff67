"""The accuracy that training would reach at every point.

What earlier trainings say about the loss behind a predictor's value stands in ``search.json``.

Shape suffixes: P points, M of them measured.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

FILE = Path(__file__).with_suffix(".json")
Floats = NDArray[np.float64]
DIVERGENCES = ("probe", "probe_overlap", "probe_folds", "pca_kl", "pca_nmse")  # minus what they are
Z90 = 1.6448536269514722  # a normal variable is within as many deviations nine times of ten
DOUBT = (
    " DO NOT TRUST the expected intervals: {} of {} measured accuracies lie outside of what "
    "was to be expected of them, so "
    "this net, or its training, is unlike those that the constants were fitted on."
)


@dataclass(frozen=True)
class Constants:
    """Of one predictor; the loss of accuracy is a difference of log-odds (docs/search.md).

    Attributes:
        offset: mean loss where the predictor sees none; ``offset_sd``: over conditions.
        scale: mean loss at a divergence of one; ``scale_sd``: over conditions, relative.
        power: of the divergence.
        residual: deviation of single points from the line at no expected loss.
        growth: how much this deviation grows with the loss that is expected.
        noise: variance of one training's accuracy, in binomial variances of its test images.
        widening: factor on all deviations, from conditions that the constants were not fitted on.
    """

    offset: float
    offset_sd: float
    scale: float
    scale_sd: float
    power: float
    residual: float
    growth: float
    noise: float
    widening: float


def constants_of(kind: str) -> Constants:
    """The constants that ship for a predictor.

    Raises:
        ValueError: there are none.
    """
    if kind not in shipped():
        raise ValueError(f"split.kind={kind!r}: a search knows {', '.join(shipped())}")
    return shipped()[kind]


@cache
def shipped() -> dict[str, Constants]:
    """The constants that ship, by predictor."""
    content = json.loads(FILE.read_text(encoding="utf-8"))
    return {kind: Constants(**known) for kind, known in content["predictors"].items()}


@dataclass(frozen=True)
class Expectation:
    """What a training of one point is expected to reach on the test images.

    Attributes:
        accuracy: 0..1; of a point that was trained: what another training is expected to reach.
        low: lower end of the 90 % interval of one training's accuracy; ``high``: upper end.
        deviation: of the mean over many trainings.
        measured: the accuracy of its training; ``None``: it was not trained.
        surprising: it lies outside of the interval that the other trainings left for it.
    """

    accuracy: float
    low: float
    high: float
    deviation: float
    measured: float | None
    surprising: bool = False


def expectations(
    kind: str,
    values: Sequence[float],
    baseline: float,
    test_images: int,
    measured: Mapping[int, float],
    constants: Constants | None = None,
) -> list[Expectation]:
    """The expectation at every point: a Gaussian process on the loss of accuracy in log-odds.

    Its mean is a monotone map of the predictor's divergence (of the rank, where the predictor is no
    divergence). Its covariance: an offset and a scale that all points of a condition share, and
    what sets single points apart. ``measured`` narrows all of them.

    Args:
        kind: of the predictor; ``values``: one per point, the higher the better.
        baseline: accuracy of the unsplit net on the test images, 0..1.
        measured: accuracy of the points that were trained, by position.
        constants: ``None``: those that ship for ``kind``.

    Raises:
        ValueError: no constants for ``kind``; a value is not finite.
    """
    c = constants or constants_of(kind)
    line_P = c.scale * _divergence(kind, values) ** c.power
    mean_P = c.offset + line_P
    own_P = (c.residual + c.growth * line_P) ** 2
    shared_PP = c.offset_sd**2 + c.scale_sd**2 * np.outer(line_P, line_P)
    covariance_PP = c.widening**2 * (shared_PP + np.diag(own_P))
    start = logit(_inside(baseline, test_images))
    surprising: dict[int, bool] = {}
    if measured:
        at_M = list(measured)
        seen_M = _inside(np.array([measured[p] for p in at_M]), test_images)
        known_MM = covariance_PP[np.ix_(at_M, at_M)] + np.diag(_noise(c, seen_M, test_images))
        inverse_MM, rest_M = np.linalg.inv(known_MM), start - logit(seen_M) - mean_P[at_M]
        far_M = np.abs(inverse_MM @ rest_M) > Z90 * np.sqrt(np.diag(inverse_MM))  # leave one out
        surprising = dict(zip(at_M, far_M.tolist(), strict=True))
        gain_PM = covariance_PP[:, at_M] @ inverse_MM
        mean_P = mean_P + gain_PM @ rest_M
        covariance_PP = covariance_PP - gain_PM @ covariance_PP[at_M]
    variance_P = np.maximum(np.diag(covariance_PP), 0.0)
    odds_P = start - mean_P
    accuracy_P = expit(odds_P)
    half_P = Z90 * np.sqrt(variance_P + _noise(c, _inside(accuracy_P, test_images), test_images))
    deviation_P = np.sqrt(variance_P) * accuracy_P * (1 - accuracy_P)
    low_P, high_P = expit(odds_P - half_P), expit(odds_P + half_P)
    rows = np.stack([accuracy_P, low_P, high_P, deviation_P], axis=1).tolist()
    return [
        Expectation(a, low, high, d, measured.get(p), surprising.get(p, False))
        for p, (a, low, high, d) in enumerate(rows)
    ]


def doubt(found: Sequence[Expectation]) -> str:
    """A sentence where measured accuracies are surprising; else nothing."""
    surprising = [of.surprising for of in found if of.measured is not None]
    return DOUBT.format(sum(surprising), len(surprising)) if any(surprising) else ""


def _divergence(kind: str, values: Sequence[float]) -> Floats:
    """From 0 up, per point: what the predictor measures, or its rank from 0 to 1."""
    if not all(map(math.isfinite, values)):
        raise ValueError(f"split.kind={kind}: it has no value at some points, no search can use it")
    value_P = np.array(values, dtype=np.float64)
    if kind in DIVERGENCES:
        return np.maximum(-value_P, 0.0)
    ranked = np.lexsort((-np.arange(len(value_P)), -value_P))  # of equal values the deeper first
    rank_P = np.empty(len(value_P))
    rank_P[ranked] = np.linspace(0.0, 1.0, len(value_P))
    return rank_P


def _inside(accuracy: float | Floats, test_images: int) -> Floats:
    """Kept half an image away from 0 and 1, where log-odds end."""
    margin = 0.5 / test_images
    return np.asarray(np.clip(accuracy, margin, 1 - margin))


def _noise(c: Constants, accuracy: Floats, test_images: int) -> Floats:
    """Variance of one training's log-odds."""
    return np.asarray(c.noise / (test_images * accuracy * (1 - accuracy)))
