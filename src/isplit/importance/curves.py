"""Importance curves: the predictors that rank split points, and the table they stand in.

Shape suffixes: M kinds, P points, K classes.
"""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, fx

from isplit.importance.curve import CuiSettings, Curve, PredictorCost
from isplit.importance.gradients import FromGradients, cosine, grad_cam, gradient_alone
from isplit.importance.probe import FOLDS, FromReconstruction, judged, pca_kl, pca_nmse, probe
from isplit.importance.scores import Batches, score_classes
from isplit.point import DEFAULT_RATE, RateOf, SplitPoint

log = logging.getLogger(__name__)

NAMED_AT_MOST = 10  # classes in the warning about those without images


def importance_curves(
    traced: fx.GraphModule,
    points: Sequence[SplitPoint],
    batches: Batches,
    class_names: Sequence[str],
    kinds: Sequence[str] = ("cui", "gradient"),
    settings: CuiSettings | None = None,
    rate_of: RateOf = DEFAULT_RATE,
) -> dict[str, Curve]:
    """One curve per kind over ``points``; the kinds that need gradients share a single pass.

    For image j of class c with logit y and features F (C channels, X positions) at a point::

        alpha_k = mean over x of dy / dF[k, x]                           I-SPLIT Eq. 1
        CUI_j   = mean over x of ReLU( mean over k of alpha_k F[k, x] )  I-SPLIT Eq. 2

    averaged in float64 over the images of each class, then over the classes: before any logarithm.
    Classes without images are left out: they are absent from ``per_class`` and a warning names
    them. The model's mode does not matter, eval mode is used; nothing in the model is changed.
    ``batches`` is walked through once for all the kinds that need gradients, several times for
    those that look at reconstructions, and not at all for those of the architecture alone.

    Raises:
        ValueError: an unknown kind, no images, a label without a class or a logit, a value that is
            not finite (the message names the split point).
    """
    predictors = {kind: _predictor(kind) for kind in kinds}
    curves: dict[str, Curve] = {}
    by_gradient = {kind: p for kind, p in predictors.items() if isinstance(p, FromGradients)}
    if by_gradient:
        settings = settings or CuiSettings()
        sums, counts = score_classes(
            traced, points, batches, len(class_names), by_gradient, settings
        )
        curves = _averaged(sums, counts, by_gradient, tuple(points), class_names)
    reconstructing = {k: p for k, p in predictors.items() if isinstance(p, FromReconstruction)}
    if reconstructing:
        values, seen = judged(traced, points, batches, rate_of, reconstructing)
        curves |= {k: Curve(k, tuple(points), v, num_images=seen) for k, v in values.items()}
    curves |= architecture_curves(points, kinds)
    return {kind: curves[kind] for kind in predictors}


def computed_by(kinds: Iterable[str]) -> list[Callable[..., object]]:
    """The functions that make the curves of these kinds, without those of the other kinds."""
    functions: list[Callable[..., object]] = []
    for kind in kinds:
        match _predictor(kind):
            case FromGradients(function):
                functions += [score_classes, _averaged, function]
            case FromReconstruction(judge):
                functions += [judged, judge]
            case FromArchitecture(function):
                functions += [function]
    return functions


def depends_on_rate(kind: str) -> bool:
    """Whether the size of the code changes the curve."""
    return isinstance(_predictor(kind), FromReconstruction)


def architecture_curves(points: Sequence[SplitPoint], kinds: Iterable[str]) -> dict[str, Curve]:
    """Those of the kinds that need neither images nor weights."""
    found = {kind: _predictor(kind) for kind in kinds}
    return {k: p.curve_of(points) for k, p in found.items() if isinstance(p, FromArchitecture)}


def predictor_cost(kind: str, points: Sequence[SplitPoint], images: int) -> PredictorCost:
    """What ranking all the points by this kind alone takes, with so many images."""
    match _predictor(kind):
        case FromArchitecture():
            return PredictorCost()
        case FromReconstruction() as predictor:
            return PredictorCost(images, predictor.forward_passes(points))
    return PredictorCost(images, forward=1.0, backward=1.0)


def layer_size(points: Sequence[SplitPoint]) -> Curve:
    """Minus the logarithm of the number of feature elements: small features are cheap to send."""
    return Curve("size", tuple(points), tuple(-math.log(point.numel) for point in points))


def cut_distil_encode(points: Sequence[SplitPoint]) -> Curve:
    """The size curve, its candidates the points smaller than the one before them (CDE)."""
    shrinks = (p for p in range(1, len(points)) if points[p].numel < points[p - 1].numel)
    return replace(layer_size(points), kind="cde", marked=tuple(shrinks))


def depth(points: Sequence[SplitPoint]) -> Curve:
    """The index of the point: what a predictor must beat."""
    return Curve("depth", tuple(points), tuple(float(point.index) for point in points))


@dataclass(frozen=True)
class FromArchitecture:
    """Needs neither images nor weights."""

    curve_of: Callable[[Sequence[SplitPoint]], Curve]


Predictor = FromGradients | FromReconstruction | FromArchitecture

PREDICTORS: dict[str, Predictor] = {
    "cui": FromGradients(grad_cam, is_map=True),
    "gradient": FromGradients(gradient_alone, is_map=True),
    "cosine": FromGradients(cosine),
    "cde": FromArchitecture(cut_distil_encode),
    "size": FromArchitecture(layer_size),
    "depth": FromArchitecture(depth),
    "probe": FromReconstruction(probe),
    "probe_overlap": FromReconstruction(probe, overlapping=True),
    "probe_folds": FromReconstruction(probe, overlapping=True, folds=FOLDS),
    "pca_kl": FromReconstruction(pca_kl),
    "pca_nmse": FromReconstruction(pca_nmse, tail_passes=0),
}
"""Every kind of curve and what it needs: a new one is a function and a line here."""


def _predictor(kind: str) -> Predictor:
    if kind not in PREDICTORS:
        raise ValueError(f"split.kind={kind!r} is not one of {', '.join(PREDICTORS)}")
    return PREDICTORS[kind]


def _averaged(
    sums: Tensor,
    counts: Tensor,
    kinds: Iterable[str],
    points: tuple[SplitPoint, ...],
    class_names: Sequence[str],
) -> dict[str, Curve]:
    """Curves of the means of classes: sums (M, P, K) over counts (K); those without images miss."""
    there = counts.nonzero()[:, 0]
    names = [class_names[k] for k in there.tolist()]
    left_out = [name for name in class_names if name not in names]
    if left_out:
        some = ", ".join(left_out[:NAMED_AT_MOST])
        log.warning("%d classes without images left out of the curves: %s", len(left_out), some)
    curves = {}
    for kind, means_PK in zip(kinds, sums[..., there] / counts[there], strict=True):
        values = tuple(means_PK.mean(1).tolist())
        per_class = {name: tuple(v.tolist()) for name, v in zip(names, means_PK.T, strict=True)}
        curves[kind] = Curve(kind, points, values, per_class, int(counts.sum()))
    return curves
