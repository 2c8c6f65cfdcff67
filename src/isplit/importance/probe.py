"""Predictors that put a closed-form bottleneck in and look what comes out: the probe and its parts.

For all points together: one walk over most of the images fits the linear codes, one over the rest
reconstructs the features at every point and runs the tail on them. No labels, no training.
Shape suffixes: N images, K classes, R rows, D elements of a block.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from isplit.bottleneck import RateOf
from isplit.graph import stretches
from isplit.importance.linear_code import Blocks, LinearCode, OverlappingCode
from isplit.importance.taps import evaluation_mode
from isplit.point import SplitPoint

JUDGED_PART = 0.25  # of the images: the code is judged on them, and fitted on the others
JUDGED_TOGETHER = 128  # images whose statistics a BatchNorm takes at once
FEWEST_TOGETHER = 16
PIXELS_TOGETHER = JUDGED_TOGETHER * 128 * 128  # larger images: fewer of them at once
FITTED_ROWS = 4096  # about, for the code of one point
FITTED_ELEMENTS = 2**25  # of these rows together: 128 MiB a point


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

    def logits(self, *, recalibrated: bool) -> Tensor:
        """What the tail answers; ``recalibrated``: every BatchNorm takes the statistics it sees."""
        with _own_statistics(self.tail) if recalibrated else nullcontext():
            logits: Tensor = self.tail(self.reconstruction)
        return logits


Code = LinearCode | OverlappingCode
Judge = Callable[[Seen], Tensor]
"""How good a reconstruction is: a number, the higher the better."""


def probe(seen: Seen) -> Tensor:
    """-KL( softmax(net) || softmax(tail) ), BatchNorms re-estimated on the reconstruction."""
    return -_divergence(seen.reference, seen.logits(recalibrated=True))


def pca_kl(seen: Seen) -> Tensor:
    """The probe without re-estimation."""
    return -_divergence(seen.reference, seen.logits(recalibrated=False))


def pca_nmse(seen: Seen) -> Tensor:
    """Minus the squared error of the reconstruction over the variance of the features."""
    error = (seen.features - seen.reconstruction).square().sum()
    return -error / (seen.features - seen.features.mean(0)).square().sum().clamp(min=1e-30)


def judged(
    traced: fx.GraphModule,
    points: Sequence[SplitPoint],
    batches: Iterable[tuple[Tensor, Tensor]],
    rate_of: RateOf,
    judges: Mapping[str, tuple[Judge, bool]],
) -> tuple[dict[str, tuple[float, ...]], int]:
    """Value of every judge at every point, and the number of images looked at.

    The batches are walked through several times and never kept, so memory does not grow with the
    number of images.

    Args:
        judges: each with whether the blocks of its code overlap.

    Raises:
        ValueError: fewer than four images.
    """
    own = next(itertools.chain(traced.parameters(), traced.buffers()))
    if iter(batches) is batches:  # can be walked through only once
        batches = list(batches)
    count = _count(batches)
    num_judged = round(JUDGED_PART * count)
    if num_judged < 1:
        raise ValueError(f"split.images: {count} images are too few for a probe, 512 are usual")
    pieces = stretches(traced, points)
    blocks = [Blocks.at(point, rate_of(point)) for point in points]
    to_judge = _Images(batches, own, 0, num_judged)
    to_fit = _Images(batches, own, num_judged, count)
    with evaluation_mode(traced), torch.no_grad():
        codes = _fitted(pieces, blocks, to_fit, {overlap for _, overlap in judges.values()})
        values = _judged(pieces, blocks, codes, to_judge, judges)
    return values, count


def forward_passes(points: Sequence[SplitPoint], tail_passes: int) -> float:
    """Forward passes of the whole net for each image that ``judged`` comes to."""
    tails = sum(point.tail_macs / (point.head_macs + point.tail_macs) for point in points)
    return (1 - JUDGED_PART) + JUDGED_PART * (2 + tail_passes * tails)


def _fitted(
    pieces: Sequence[nn.Module], blocks: Sequence[Blocks], images: _Images, overlaps: Set[bool]
) -> dict[bool, list[Code]]:
    """The code of every point, overlapping or not, as asked."""
    spread, whole = _rows(pieces, blocks, images, True in overlaps)
    codes: dict[bool, list[Code]] = {False: [], True: []}
    for block in blocks:  # what a point kept is let go when its code is there
        plain = LinearCode.fit(spread.pop(0).filled, block.channels)
        codes[False].append(plain)
        if True in overlaps:
            codes[True].append(OverlappingCode.fit(plain, block, whole.pop(0).filled))
    return {overlap: codes[overlap] for overlap in overlaps}


def _rows(
    pieces: Sequence[nn.Module], blocks: Sequence[Blocks], images: _Images, overlap: bool
) -> tuple[list[_Kept], list[_Kept]]:
    """Some rows of every point, spread evenly over the images; and, if asked, of whole images."""
    most = [min(FITTED_ROWS, FITTED_ELEMENTS // block.elements) for block in blocks]
    missing = [-(-most[k] // block.per_image) * overlap for k, block in enumerate(blocks)]
    spread = [_Kept(most[k], block, images) for k, block in enumerate(blocks)]
    whole = [_Kept(missing[k] * block.per_image, block, images) for k, block in enumerate(blocks)]
    begin = 0
    for chunk in images:
        end = begin + len(chunk)
        for k, features in enumerate(_stations(pieces, chunk)):
            rows = blocks[k].rows(features)
            share = most[k] * end // len(images) - most[k] * begin // len(images)
            if wanted := most[k] * len(chunk) // len(images) or share:
                spread[k].add(rows[:: -(-len(rows) // wanted)])
            whole[k].add(rows[: missing[k] * len(rows) // len(features)])
            missing[k] = max(0, missing[k] - len(features))
        begin = end
    return spread, whole


class _Kept:
    """Rows of one point in a tensor made once: many small ones would leave holes in the memory."""

    def __init__(self, most: int, block: Blocks, images: _Images) -> None:
        most = min(most, len(images) * block.per_image)
        self._rows = images.like.new_empty(most, block.elements)
        self._count = 0

    @property
    def filled(self) -> Tensor:
        return self._rows[: self._count]

    def add(self, rows: Tensor) -> None:
        self._rows[self._count : self._count + len(rows)] = rows
        self._count += len(rows)


def _judged(
    pieces: Sequence[nn.Module],
    blocks: Sequence[Blocks],
    codes: Mapping[bool, Sequence[Code]],
    images: _Images,
    judges: Mapping[str, tuple[Judge, bool]],
) -> dict[str, tuple[float, ...]]:
    sums = {name: [0.0] * len(blocks) for name in judges}
    for chunk in images:
        reference = nn.Sequential(*pieces)(chunk)
        for k, features in enumerate(_stations(pieces, chunk)):
            tail = nn.Sequential(*pieces[k + 1 :])
            rows = blocks[k].rows(features)
            for overlap, of_points in codes.items():
                back = blocks[k].features(of_points[k].reconstruct(rows))
                seen = Seen(features, back, reference, tail)
                for name, (judge, overlaps) in judges.items():
                    if overlaps == overlap:
                        sums[name][k] += len(chunk) * float(judge(seen))
    return {name: tuple(total / len(images) for total in row) for name, row in sums.items()}


def _stations(pieces: Sequence[nn.Module], images: Tensor) -> Iterator[Tensor]:
    """The features at every point, from the input on."""
    features = images
    for piece in pieces[:-1]:
        features = piece(features)
        yield features


@dataclass(frozen=True)
class _Images:
    """Images ``begin`` to ``end`` of all batches, read again at each walk.

    A walk gives parts of about equal size: a BatchNorm has nothing to estimate from one image.

    Attributes:
        like: a tensor of the device and type that the net works with.
    """

    batches: Iterable[tuple[Tensor, Tensor]]
    like: Tensor
    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin

    def __iter__(self) -> Iterator[Tensor]:
        kept, position, size = None, 0, 0
        for images, _ in self.batches:
            own = images[max(0, self.begin - position) : max(0, self.end - position)]
            position += len(images)
            kept = own if kept is None else torch.cat([kept, own])
            size = size or self._together(images)
            while len(kept) >= size:
                yield kept[:size].to(self.like.device, self.like.dtype)
                kept = kept[size:]
            if position >= self.end:
                break
        if kept is not None and len(kept):
            yield kept.to(self.like.device, self.like.dtype)

    def _together(self, images: Tensor) -> int:
        """Images in each part."""
        pixels = math.prod(images.shape[2:])
        most = min(JUDGED_TOGETHER, max(FEWEST_TOGETHER, PIXELS_TOGETHER // pixels))
        return -(-len(self) // -(-len(self) // most))


def _count(batches: Iterable[tuple[Tensor, Tensor]]) -> int:
    """How many images there are; a loader knows, other batches are walked through."""
    sampler = getattr(batches, "sampler", None)
    return sum(len(images) for images, _ in batches) if sampler is None else len(sampler)


def _divergence(reference: Tensor, logits: Tensor) -> Tensor:
    """KL( softmax(reference) || softmax(logits) ), mean over the images, in nats."""
    p, q = reference.log_softmax(1), logits.log_softmax(1)
    return F.kl_div(q, p, reduction="batchmean", log_target=True)


@contextmanager
def _own_statistics(model: nn.Module) -> Iterator[None]:
    """BatchNorms normalise by what they see, for a while; their stored statistics stay."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.training, norm.track_running_stats) for norm in norms]
    try:
        for norm in norms:
            norm.training, norm.track_running_stats = True, False
        yield
    finally:
        for norm, flags in zip(norms, before, strict=True):
            norm.training, norm.track_running_stats = flags
