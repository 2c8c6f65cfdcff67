"""The obviously right versions of what isplit computes fast: slow, per image, in float64."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, fx

from isplit.graph import split_at
from isplit.point import SplitPoint


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


def probe_value(
    traced: fx.GraphModule,
    point: SplitPoint,
    fitted: Tensor,
    judged: Tensor,
    channels: int,
    overlapping: bool = False,
) -> Tensor:
    """-KL of the tail on block PCA reconstructions, every BatchNorm normalising what it sees.

    For maps that four fits into: blocks by pixel-unshuffling, axes from a full SVD.
    ``overlapping``: each block decoded from the codes around it too, within what its channel took.
    """
    traced = copy.deepcopy(traced).double()
    for module in traced.modules():
        module.training = False
    head, tail = split_at(traced, point)
    side = 4
    with torch.no_grad():
        rows = _unshuffled(head(fitted.double()), side)
        mean = rows.mean(0)
        axes = torch.linalg.svd(rows - mean, full_matrices=False).Vh[:channels]
        features = head(judged.double())
        codes = (_unshuffled(features, side) - mean) @ axes.T
        n, c, h, w = features.shape
        back = codes @ axes + mean
        if overlapping:
            grid = (h // side, w // side)
            seen = _surroundings((rows - mean) @ axes.T, grid)
            penalty = math.sqrt(0.1 * seen.square().sum(0).mean())
            wide = torch.cat([seen, penalty * torch.eye(seen.shape[1]).double()])
            wanted = torch.cat([rows - mean, torch.zeros(seen.shape[1], rows.shape[1]).double()])
            back = _surroundings(codes, grid) @ torch.linalg.lstsq(wide, wanted).solution + mean
            for channel in range(c):
                of_it = slice(channel * side**2, (channel + 1) * side**2)
                back[:, of_it] = back[:, of_it].clamp(rows[:, of_it].min(), rows[:, of_it].max())
        maps = back.view(n, h // side, w // side, c * side**2).permute(0, 3, 1, 2)
        answer = _recalibrated(tail)(torch.nn.functional.pixel_shuffle(maps, side)).softmax(1)
        reference = traced(judged.double()).softmax(1)
        return -(reference * (reference / answer).log()).sum(1).mean()


def _surroundings(codes: Tensor, grid: tuple[int, int]) -> Tensor:
    """Of each position the codes there and around it, each with a one; zeros beyond the border."""
    h, w = grid
    codes = torch.cat([codes, torch.ones(len(codes), 1).double()], dim=1)
    rows = []
    for image in codes.view(-1, h, w, codes.shape[1]):
        wide = torch.zeros(h + 2, w + 2, codes.shape[1]).double()
        wide[1:-1, 1:-1] = image
        rows += [wide[i : i + 3, j : j + 3].flatten() for i in range(h) for j in range(w)]
    return torch.stack(rows)


def _unshuffled(maps: Tensor, side: int) -> Tensor:
    blocks = torch.nn.functional.pixel_unshuffle(maps, side)
    return blocks.permute(0, 2, 3, 1).flatten(0, 2)


def _recalibrated(tail: torch.nn.Module) -> torch.nn.Module:
    tail = copy.deepcopy(tail)
    for name, module in list(tail.named_modules()):
        if isinstance(module, torch.nn.BatchNorm2d):
            tail.get_submodule(name).forward = lambda x, norm=module: _normalised(x, norm)
    return tail


def _normalised(x: Tensor, norm: torch.nn.BatchNorm2d) -> Tensor:
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = (x - mean).square().mean((0, 2, 3), keepdim=True)
    scaled = (x - mean) / (variance + norm.eps).sqrt()
    return scaled * norm.weight[:, None, None] + norm.bias[:, None, None]


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
        return (one.T if point.channels_last else one)[:, :, None]
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
