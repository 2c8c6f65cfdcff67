"""Predictors that put a closed-form bottleneck in and look what comes out: the probe and its parts.

For all points together: one walk over most of the images fits the linear codes (two, where their
decoders overlap), one over the rest reconstructs the features at every point and runs the tail on
them. No labels, no training.
Shape suffixes: N images, K classes, R rows, D elements of a block.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from isplit.bottleneck import RateOf
from isplit.graph import stretches
from isplit.importance.linear_code import Blocks, LinearCode, OverlappingCode, fixed_draws
from isplit.importance.taps import evaluation_mode, tapped
from isplit.types import SplitPoint

JUDGED_PART = 0.25  # of the images: the code is judged on them, and fitted on the others
JUDGED_TOGETHER = 128  # images whose statistics a BatchNorm takes at once
FITTED_ROWS = 4096  # about, for the code of one point
SMALLEST_WEIGHT = 1e-3  # of the mean one: no element may count for nothing


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


Judge = Callable[[Seen], Tensor]
"""How good a reconstruction is: a number, the higher the better."""

Coding = Literal["blocks", "by_gradient", "overlapping"]
"""How the code is made: by the principal axes of the blocks; of what the net's answer depends on in
them; or with a decoder that sees the codes around each block too."""


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
    judges: Mapping[str, Judge],
    coding: Coding = "blocks",
) -> tuple[dict[str, tuple[float, ...]], int]:
    """Value of every judge at every point, and the number of images looked at.

    Raises:
        ValueError: fewer than four images.
    """
    own = next(itertools.chain(traced.parameters(), traced.buffers()))
    images = torch.cat([images for images, _ in batches]).to(own.device, own.dtype)
    num_judged = round(JUDGED_PART * len(images))
    if num_judged < 1:
        raise ValueError(
            f"split.images: {len(images)} images are too few for a probe, 512 are usual"
        )
    pieces = stretches(traced, points)
    blocks = [Blocks.at(point, rate_of(point)) for point in points]
    to_judge, to_fit = images[:num_judged], images[num_judged:]
    weights: Sequence[Tensor | None] = [None] * len(points)
    if coding == "by_gradient":
        weights = _sensitivities(traced, blocks, to_fit)
    with evaluation_mode(traced), torch.no_grad():
        fitted = _fitted(pieces, blocks, to_fit, weights)
        overlaps = coding == "overlapping"
        codes = _overlapping(pieces, blocks, to_fit, fitted) if overlaps else fitted
        values = _judged(pieces, blocks, codes, to_judge, judges)
    return values, len(images)


def walks(points: Sequence[SplitPoint], tail_passes: int, coding: Coding) -> tuple[float, float]:
    """Forward and backward passes of the whole net for each image that ``judged`` comes to."""
    tails = sum(point.tail_macs / (point.head_macs + point.tail_macs) for point in points)
    fits = 1 if coding == "blocks" else 2
    forward = fits * (1 - JUDGED_PART) + JUDGED_PART * (2 + tail_passes * tails)
    return forward, (1 - JUDGED_PART) * (coding == "by_gradient")


def _fitted(
    pieces: Sequence[nn.Module],
    blocks: Sequence[Blocks],
    images: Tensor,
    weights: Sequence[Tensor | None],
) -> list[LinearCode]:
    """The linear code of every point, from rows spread evenly over the images."""
    kept: list[list[Tensor]] = [[] for _ in blocks]
    for chunk in _chunks(images):
        for features, block, rows in zip(_stations(pieces, chunk), blocks, kept, strict=True):
            every = block.rows(features)
            wanted = max(1, FITTED_ROWS * len(chunk) // len(images))
            rows.append(every[:: -(-len(every) // wanted)])
    return [
        LinearCode.fit(torch.cat(rows), block.channels, weight)
        for rows, block, weight in zip(kept, blocks, weights, strict=True)
    ]


def _overlapping(
    pieces: Sequence[nn.Module],
    blocks: Sequence[Blocks],
    images: Tensor,
    codes: Sequence[LinearCode],
) -> list[OverlappingCode]:
    """The same codes with decoders that overlap, from all rows of the first images."""
    kept: list[list[Tensor]] = [[] for _ in blocks]
    missing = [max(1, FITTED_ROWS // math.prod(block.grid)) for block in blocks]
    for chunk in _chunks(images):
        for k, features in enumerate(_stations(pieces, chunk)):
            kept[k].append(blocks[k].rows(features[: missing[k]]))
            missing[k] = max(0, missing[k] - len(features))
    return [
        OverlappingCode.fit(code, block, torch.cat(rows))
        for code, block, rows in zip(codes, blocks, kept, strict=True)
    ]


def _sensitivities(
    traced: fx.GraphModule, blocks: Sequence[Blocks], images: Tensor
) -> list[Tensor]:
    """Mean square of d log p(y) / d element, y drawn from the net's answer: (D) for every point."""
    sums: list[Tensor] = [torch.zeros(())] * len(blocks)

    def visit(position: int, features: Tensor, gradients: Tensor) -> None:
        squares_RD = blocks[position].rows(gradients).square()
        sums[position] = sums[position] + squares_RD.mean(0) * len(gradients) / len(images)

    with tapped(traced, [block.point for block in blocks], visit) as model, fixed_draws():
        for chunk in _chunks(images):
            log_p = model(chunk).log_softmax(1)
            drawn = torch.multinomial(log_p.detach().exp(), num_samples=1)
            torch.autograd.backward(log_p.gather(1, drawn).sum())
    return [weights + SMALLEST_WEIGHT * weights.mean() for weights in sums]


def _judged(
    pieces: Sequence[nn.Module],
    blocks: Sequence[Blocks],
    codes: Sequence[LinearCode | OverlappingCode],
    images: Tensor,
    judges: Mapping[str, Judge],
) -> dict[str, tuple[float, ...]]:
    sums = torch.zeros(len(judges), len(blocks), dtype=torch.float64)
    for chunk in _chunks(images):
        reference = nn.Sequential(*pieces)(chunk)
        for position, features in enumerate(_stations(pieces, chunk)):
            rows = codes[position].reconstruct(blocks[position].rows(features))
            tail = nn.Sequential(*pieces[position + 1 :])
            seen = Seen(features, blocks[position].features(rows), reference, tail)
            for number, judge in enumerate(judges.values()):
                sums[number, position] += len(chunk) * float(judge(seen))
    means = (sums / len(images)).tolist()
    return {name: tuple(row) for name, row in zip(judges, means, strict=True)}


def _stations(pieces: Sequence[nn.Module], images: Tensor) -> Iterator[Tensor]:
    """The features at every point, from the input on."""
    features = images
    for piece in pieces[:-1]:
        features = piece(features)
        yield features


def _chunks(images: Tensor) -> tuple[Tensor, ...]:
    """Parts of about equal size: a BatchNorm has nothing to estimate from one image."""
    return images.chunk(-(-len(images) // JUDGED_TOGETHER))


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
