"""Predictors that put a closed-form bottleneck in and look what comes out: the probe and its parts.

For all points together: one walk over most of the images fits the linear codes
(:mod:`isplit.importance.codes`), one over the rest reconstructs the features at every point and
runs the tail on them. No labels, no training. Shape suffixes: N images, K classes.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from isplit.graph import stretches
from isplit.graph.tracing import changed
from isplit.importance.codes import Code, Images, fitted, stations
from isplit.importance.linear_code import Blocks
from isplit.importance.taps import evaluation_mode
from isplit.point import RateOf, SplitPoint

JUDGED_PART = 0.25  # of the images: the code is judged on them, and fitted on the others
FOLDS = 4  # until each image was judged
FEWEST_JUDGED = 2  # a BatchNorm has nothing to estimate from one image


@dataclass(frozen=True)
class Seen:
    """What a bottleneck at one point does to some images.

    Attributes:
        features: as they are, (N, *shape).
        reconstruction: as they come back from the code.
        reference: logits (N, K) of the unsplit net.
        tail: from features to logits.
    """

    features: Tensor
    reconstruction: Tensor
    reference: Tensor
    tail: nn.Module

    def divergence(self, *, recalibrated: bool) -> Tensor:
        """KL( softmax(net) || softmax(tail) ), mean over the images, in nats.

        ``recalibrated``: every BatchNorm of the tail takes the statistics that it sees.
        """
        norms = [m for m in self.tail.modules() if recalibrated and isinstance(m, _BatchNorm)]
        with changed(norms, training=True, track_running_stats=False):
            logits: Tensor = self.tail(self.reconstruction)
        p, q = self.reference.log_softmax(1), logits.log_softmax(1)
        return F.kl_div(q, p, reduction="batchmean", log_target=True)


Judge = Callable[[Seen], Tensor]
"""How good a reconstruction is: a number, the higher the better."""


@dataclass(frozen=True)
class FromReconstruction:
    """Needs a closed-form bottleneck at every point, shared; no labels, no gradients.

    Attributes:
        tail_passes: how often it runs the tail on a reconstruction.
        overlapping: whether each block is decoded from the codes around it too.
        folds: how often another part of the images is judged, by codes fitted on the others.
    """

    judge: Judge
    tail_passes: int = 1
    overlapping: bool = False
    folds: int = 1

    def forward_passes(self, points: Sequence[SplitPoint]) -> float:
        """Forward passes of the whole net that each image comes to."""
        tails = sum(point.tail_macs / (point.head_macs + point.tail_macs) for point in points)
        of_a_fold = (1 - JUDGED_PART) + JUDGED_PART * (2 + self.tail_passes * tails)
        return self.folds * of_a_fold


def probe(seen: Seen) -> Tensor:
    """-KL( softmax(net) || softmax(tail) ), BatchNorms re-estimated on the reconstruction."""
    return -seen.divergence(recalibrated=True)


def pca_kl(seen: Seen) -> Tensor:
    """The probe without re-estimation."""
    return -seen.divergence(recalibrated=False)


def pca_nmse(seen: Seen) -> Tensor:
    """Minus the squared error of the reconstruction over the variance of the features."""
    error = (seen.features - seen.reconstruction).square().sum()
    return -error / (seen.features - seen.features.mean(0)).square().sum().clamp(min=1e-30)


def judged(
    traced: fx.GraphModule,
    points: Sequence[SplitPoint],
    batches: Iterable[tuple[Tensor, Tensor]],
    rate_of: RateOf,
    judges: Mapping[str, FromReconstruction],
) -> tuple[dict[str, tuple[float, ...]], int]:
    """Value of every judge at every point, and the number of images looked at.

    The batches are walked through several times and never kept, so memory does not grow with the
    number of images.

    Raises:
        ValueError: fewer than four images.
    """
    own = next(itertools.chain(traced.parameters(), traced.buffers()))
    if iter(batches) is batches:  # can be walked through only once
        batches = list(batches)
    count = _count(batches)
    num_judged = max(FEWEST_JUDGED, round(JUDGED_PART * count))
    if count < 2 * FEWEST_JUDGED:
        raise ValueError(f"split.images: {count} images are too few for a probe, 512 are usual")
    pieces = stretches(traced, points)
    blocks = [Blocks.at(point, rate_of(point)) for point in points]
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in judges}
    with evaluation_mode(traced), torch.no_grad():
        for fold in range(max(judge.folds for judge in judges.values())):
            some = {name: judge for name, judge in judges.items() if fold < judge.folds}
            begin = min(fold * num_judged, count - num_judged)
            to_judge = Images(batches, own, begin, begin + num_judged)
            to_fit = replace(to_judge, others_of=count)
            codes = fitted(pieces, blocks, to_fit, {judge.overlapping for judge in some.values()})
            for name, values in _judged(pieces, blocks, codes, to_judge, some).items():
                found[name].append(values)
    return {name: tuple(map(fmean, zip(*v, strict=True))) for name, v in found.items()}, count


def _judged(
    pieces: Sequence[nn.Module],
    blocks: Sequence[Blocks],
    codes: Mapping[bool, Sequence[Code]],
    images: Images,
    judges: Mapping[str, FromReconstruction],
) -> dict[str, tuple[float, ...]]:
    sums = {name: [0.0] * len(blocks) for name in judges}
    for chunk in images:
        reference = nn.Sequential(*pieces)(chunk)
        for k, features in enumerate(stations(pieces, chunk)):
            tail = nn.Sequential(*pieces[k + 1 :])
            rows = blocks[k].rows(features)
            for overlap, of_points in codes.items():
                back = blocks[k].features(of_points[k].reconstruct(rows))
                seen = Seen(features, back, reference, tail)
                for name, own in judges.items():
                    if own.overlapping == overlap:
                        sums[name][k] += len(chunk) * float(own.judge(seen))
    for name, row in sums.items():
        for block, total in zip(blocks, row, strict=True):
            if not math.isfinite(total):
                raise ValueError(
                    f"{name} at {block.point.label} is not finite: look for NaN or infinity in the "
                    "weights, the images and the logits"
                )
    return {name: tuple(total / len(images) for total in row) for name, row in sums.items()}


def _count(batches: Iterable[tuple[Tensor, Tensor]]) -> int:
    """How many images there are; a loader knows, other batches are walked through."""
    sampler = getattr(batches, "sampler", None)
    return sum(len(images) for images, _ in batches) if sampler is None else len(sampler)
