"""The obviously right versions of what isplit computes fast: slow, per image, in float64."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, fx

from isplit.graph import split_at
from isplit.types import SplitPoint


def cui_values(
    traced: fx.GraphModule,
    points: Sequence[SplitPoint],
    images: Tensor,
    labels: Tensor,
    *,
    kind: str = "cui",
    target: str = "label",
    channels: str = "mean",
    spatial: str = "mean",
    accumulate: str = "none",
) -> Tensor:
    """Value (points, images) of each image at each point, one forward and backward for each.

    ``kind``: ``cui`` or ``gradient``. The model is cut in two at every point, so nothing here
    shares a hook or a graph with what it checks.
    """
    traced = copy.deepcopy(traced).double()
    for module in traced.modules():
        module.training = False
    pieces = [split_at(traced, point) for point in points]
    columns = []
    for image, label in zip(images.double(), labels.tolist(), strict=True):
        maps = [
            _map(piece, point, image, label, kind, target, channels, spatial)
            for piece, point in zip(pieces, points, strict=True)
        ]
        if accumulate == "deeper":
            for position in reversed(range(len(points) - 1)):
                maps[position] = maps[position] + _stretched(maps[position + 1], maps[position])
        over = torch.mean if spatial == "mean" else torch.sum
        columns.append(torch.stack([over(each.clamp(min=0)) for each in maps]))
    return torch.stack(columns, dim=1)


def class_first_mean(values: Tensor, labels: Tensor) -> Tensor:
    """Mean over the images of each class, then over the classes: (points, images) -> (points)."""
    classes = sorted(set(labels.tolist()))
    return torch.stack([values[:, labels == c].mean(1) for c in classes]).mean(0)


def _map(pieces, point, image, label, kind, target, channels, spatial) -> Tensor:
    """Reduction over the channels of alpha * F (or of alpha alone), before the ReLU: (H, W)."""
    head, tail = pieces
    features = head(image[None]).detach().requires_grad_()
    logits = tail(features)[0]
    logit = logits[label] if target == "label" else logits.max()
    (gradient,) = torch.autograd.grad(logit, features)
    features, gradient = _chw(features.detach(), point), _chw(gradient, point)
    total = torch.zeros(features.shape[1:], dtype=torch.float64)
    for feature, slope in zip(features, gradient, strict=True):
        alpha = slope.mean() if spatial == "mean" else slope.sum()
        total += alpha * feature if kind == "cui" else alpha * torch.ones_like(feature)
    return total / len(features) if channels == "mean" else total


def _chw(features: Tensor, point: SplitPoint) -> Tensor:
    """One image's features as (channels, height, width); tokens stand in one column."""
    one = features[0]
    if one.dim() == 1:
        return one[:, None, None]
    if one.dim() == 2:
        return one.T[:, :, None]
    return one.permute(2, 0, 1) if point.channels_last else one


def _stretched(deeper: Tensor, like: Tensor) -> Tensor:
    """A deeper map (h, w) on the grid of a shallower one, by nearest neighbour."""
    if deeper.shape == like.shape:
        return deeper
    if deeper.shape[1] == 1 or like.shape[1] == 1:  # a token sequence or a vector has no grid
        return deeper.mean().expand(like.shape)
    rows = [i * deeper.shape[0] // like.shape[0] for i in range(like.shape[0])]
    columns = [j * deeper.shape[1] // like.shape[1] for j in range(like.shape[1])]
    return deeper[rows][:, columns]
