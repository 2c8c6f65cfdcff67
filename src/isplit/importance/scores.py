"""Grad-CAM's number for every image at every split point, from one forward and one backward pass.

Shape suffixes: M kinds of map, P points, N images, K classes, C channels, X positions (of a map
or of a token sequence).
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, fx
from torch.nn import functional as F

from isplit.importance.positions import by_channel, grid_of, on_grid
from isplit.importance.settings import CuiSettings
from isplit.importance.taps import tapped
from isplit.point import SplitPoint

Batches = Iterable[tuple[Tensor, Tensor]]
"""Images (N, ...) and their class indices (N), batch by batch."""

Progress = Callable[[int], None]
"""Called after each batch with its number of images."""

MapOf = Callable[[Tensor, Tensor], Tensor]
"""Features (N, C, X) and alpha (N, C) -> sum over the channels of what they say (N, X)."""

ScoreOf = Callable[[Tensor, Tensor], Tensor]
"""Features (N, C, X) and alpha (N, C) -> the score of each image (N)."""


def score_classes(
    traced: fx.GraphModule,
    points: Sequence[SplitPoint],
    batches: Batches,
    num_classes: int,
    maps: Mapping[str, MapOf],
    scores: Mapping[str, ScoreOf],
    settings: CuiSettings,
    progress: Progress | None = None,
) -> ClassMeans:
    """Means of every class at every point, by each map and score, in one walk over ``batches``.

    Raises:
        ValueError: no images, a label without a class or a logit, a score that is not finite.
    """
    if settings.precision == "bf16":
        traced = copy.deepcopy(traced).to(torch.bfloat16).to(memory_format=torch.channels_last)
    batch = _BatchScores(points, maps, scores, settings)
    with tapped(traced, points, batch.visit, settings.tap) as model:
        means = ClassMeans(len(maps) + len(scores), num_classes, len(points))
        for images, labels in batches:
            _check_labels(labels, num_classes)
            logits = model(_as_model(images, model, settings))
            torch.autograd.backward(_explained(logits, labels, settings).sum())
            means.add(batch.take(), labels)
            if progress:
                progress(len(images))
    if not means.classes:
        raise ValueError("no images to rank the split points with: see split.images, split.classes")
    return means


class ClassMeans:
    """Running means over the images of each class, in float64 on the host."""

    def __init__(self, num_maps: int, num_classes: int, num_points: int) -> None:
        self._sums_MPK = torch.zeros(num_maps, num_points, num_classes, dtype=torch.float64)
        self._counts_K = torch.zeros(num_classes, dtype=torch.int64)

    def add(self, scores: Tensor, labels: Tensor) -> None:
        """Take in the scores (M, P, N) of one batch with labels (N)."""
        labels = labels.cpu()
        self._counts_K += labels.bincount(minlength=len(self._counts_K))
        self._sums_MPK.index_add_(2, labels, scores)

    @property
    def num_images(self) -> int:
        """Images taken in so far."""
        return int(self._counts_K.sum())

    @property
    def classes(self) -> list[int]:
        """Indices of the classes that had images."""
        indices: list[int] = self._counts_K.nonzero()[:, 0].tolist()
        return indices

    def means(self) -> Tensor:
        """Mean score (M, P, K) of each of ``classes``."""
        return self._sums_MPK[..., self.classes] / self._counts_K[self.classes]


class _BatchScores:
    """The scores of one batch, filled in while the backward pass visits the points."""

    def __init__(
        self,
        points: Sequence[SplitPoint],
        maps: Mapping[str, MapOf],
        scores: Mapping[str, ScoreOf],
        settings: CuiSettings,
    ) -> None:
        self.points, self.maps, self.scores, self.settings = points, maps, scores, settings
        self.scores_MN: dict[int, Tensor] = {}
        self.deeper: Tensor | None = None

    def visit(self, position: int, features: Tensor, gradients: Tensor) -> None:
        """Score one point by every map and every score; alpha is Eq. 1."""
        features_NCX = by_channel(features, self.points[position])
        alpha_NC = self._over_positions(by_channel(gradients, self.points[position]))
        scores_MN = [score_of(features_NCX, alpha_NC) for score_of in self.scores.values()]
        if self.maps:
            maps_MNX = torch.stack([of(features_NCX, alpha_NC) for of in self.maps.values()])
            scores_MN = [*self._of_maps(position, maps_MNX, features_NCX.shape[1]), *scores_MN]
        self.scores_MN[position] = torch.stack(scores_MN)

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
        for kind, bad_P in zip([*self.maps, *self.scores], bad_MP.tolist(), strict=True):
            for point, bad in zip(self.points, bad_P, strict=True):
                if bad:
                    raise ValueError(
                        f"{kind} at {point.name} is not finite for {bad} of {scores.shape[2]} "
                        "images: look for NaN or infinity in the weights and the images"
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


def _as_model(images: Tensor, model: fx.GraphModule, settings: CuiSettings) -> Tensor:
    """The images on the device and in the type of the parameters."""
    own = next((p for p in itertools.chain(model.parameters(), model.buffers())), images)
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
