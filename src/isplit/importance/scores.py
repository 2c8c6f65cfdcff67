"""Grad-CAM's number for every image at every split point, from one forward and one backward pass.

Shape suffixes: M kinds of map, P points, N images, K classes, C channels, X positions (of a map
or of a token sequence).
"""

import copy
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx
from torch.nn import functional as F

from isplit.importance.curve import CuiSettings
from isplit.importance.gradients import FromGradients
from isplit.importance.taps import by_channel, grid_of, on_grid, tapped
from isplit.point import SplitPoint

Batches = Iterable[tuple[Tensor, Tensor]]
"""Images (N, ...) and their class indices (N), batch by batch."""


def score_classes(
    traced: fx.GraphModule,
    points: Sequence[SplitPoint],
    batches: Batches,
    num_classes: int,
    kinds: Mapping[str, FromGradients],
    settings: CuiSettings,
) -> tuple[Tensor, Tensor]:
    """Sums over the images of every class, and how many there are, in one walk over ``batches``.

    The sums are float64 (M, P, K), the counts int64 (K).

    Raises:
        ValueError: no images, a label without a class or a logit, a score that is not finite.
    """
    if settings.precision == "bf16":
        traced = copy.deepcopy(traced).to(torch.bfloat16).to(memory_format=torch.channels_last)
    batch = _BatchScores(points, kinds, settings)
    with tapped(traced, points, batch.visit, settings.tap) as model:
        sums_MPK = torch.zeros(len(kinds), len(points), num_classes, dtype=torch.float64)
        counts_K = torch.zeros(num_classes, dtype=torch.int64)
        for images, labels in batches:
            _check_labels(labels, num_classes)
            logits = model(_as_model(images, traced, settings))
            torch.autograd.backward(_explained(logits, labels, settings).sum())
            sums_MPK.index_add_(2, labels.cpu(), batch.take())
            counts_K += labels.cpu().bincount(minlength=num_classes)
    if not counts_K.any():
        raise ValueError("no images to rank the split points with: see split.images, split.classes")
    return sums_MPK, counts_K


@dataclass
class _BatchScores:
    """The scores of one batch, filled in while the backward pass visits the points."""

    points: Sequence[SplitPoint]
    kinds: Mapping[str, FromGradients]
    settings: CuiSettings
    scores_MN: dict[int, Tensor] = field(default_factory=dict)  # noqa: N815
    deeper: Tensor | None = None

    def visit(self, position: int, features: Tensor, gradients: Tensor) -> None:
        """Score one point by every kind; alpha is Eq. 1."""
        features_NCX = by_channel(features, self.points[position])
        alpha_NC = self._over_positions(by_channel(gradients, self.points[position]))
        made = {kind: own.function(features_NCX, alpha_NC) for kind, own in self.kinds.items()}
        if maps := [kind for kind, own in self.kinds.items() if own.is_map]:
            maps_MNX = torch.stack([made[kind] for kind in maps])
            scores_MN = self._of_maps(position, maps_MNX, features_NCX.shape[1])
            made |= dict(zip(maps, scores_MN, strict=True))
        self.scores_MN[position] = torch.stack([*made.values()])

    def _of_maps(self, position: int, maps: Tensor, num_channels: int) -> Tensor:
        """Eq. 2 from sums over channels (M, N, X), and the map as one number: (M, N)."""
        if self.settings.channels == "mean":
            maps = maps / num_channels
        if self.settings.accumulate == "deeper":
            maps = self._with_deeper(maps, grid_of(self.points[position]))
        bottomless_MN = maps.amin(-1) == -math.inf  # ReLU would turn that into 0
        return self._over_positions(F.relu(maps)).masked_fill(bottomless_MN, math.nan)

    def take(self) -> Tensor:
        """Scores (M, P, N) of the batch, float64 on the host; forgets them.

        Raises:
            ValueError: a point was not visited, or a score is not finite.
        """
        for position, point in enumerate(self.points):
            if position not in self.scores_MN:
                raise ValueError(f"no gradient reaches the features at {point.name}")
        stacked = torch.stack([self.scores_MN[p] for p in range(len(self.points))], dim=1)
        self.scores_MN, self.deeper = {}, None
        scores_MPN = stacked.cpu().double()
        self._check_finite(scores_MPN)
        return scores_MPN

    def _check_finite(self, scores: Tensor) -> None:
        bad_MP = (~scores.isfinite()).sum(2)
        for kind, point in bad_MP.nonzero().tolist():
            raise ValueError(
                f"{[*self.kinds][kind]} at {self.points[point].name} is not finite for "
                f"{bad_MP[kind, point]} of {scores.shape[2]} images: look for NaN or infinity in "
                "the weights and the images"
            )

    def _over_positions(self, values: Tensor) -> Tensor:
        """Mean or sum over the last axis, in float32 at least."""
        precise = torch.promote_types(values.dtype, torch.float32)
        if self.settings.spatial == "mean":
            return values.mean(-1, dtype=precise)
        return values.sum(-1, dtype=precise)

    def _with_deeper(self, maps: Tensor, grid: tuple[int, ...]) -> Tensor:
        """The maps (M, N, X) plus those of all deeper points, brought to this point's grid."""
        maps = maps.view(*maps.shape[:2], *grid)
        if self.deeper is not None:
            maps = maps + on_grid(self.deeper, grid)
        self.deeper = maps
        return maps.flatten(2)


def _check_labels(labels: Tensor, num_classes: int) -> None:
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise ValueError(
            f"a label is outside 0..{num_classes - 1}: the labels run from {int(labels.min())} "
            f"to {int(labels.max())} and there are {num_classes} class names"
        )


def _as_model(images: Tensor, traced: fx.GraphModule, settings: CuiSettings) -> Tensor:
    """The images on the device and in the type of the parameters."""
    own = next((p for p in itertools.chain(traced.parameters(), traced.buffers())), images)
    images = images.detach().to(own.device, own.dtype)
    if settings.precision == "bf16" and images.dim() == 4:
        images = images.contiguous(memory_format=torch.channels_last)
    return images


def _explained(logits: Tensor, labels: Tensor, settings: CuiSettings) -> Tensor:
    """The logit of each image whose cause is asked for."""
    if settings.target == "prediction":
        return logits.max(1).values
    num_logits = logits.shape[1]
    if int(labels.max()) >= num_logits:
        raise ValueError(
            f"label {int(labels.max())} has no logit, the model gives {num_logits}: "
            "train it on these classes or set split.cui.target=prediction"
        )
    return logits.gather(1, labels.to(logits.device)[:, None])[:, 0]
