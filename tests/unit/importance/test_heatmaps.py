import dataclasses

import nets
import numpy as np
import pytest
import torch
from torch import nn

from isplit.graph import split_points, trace
from isplit.importance.heatmaps import has_map, heat_maps, overlays


@pytest.fixture
def case():
    """A residual net in float32 with its points that are maps, and images it never saw."""
    images, labels = nets.images_and_labels("residual")
    net = nets.make("residual").float()
    traced = trace(net, images[:2].float())
    points = [point for point in split_points(traced) if has_map(point)]
    return traced, points, images.float(), labels


def test_each_map_is_what_grad_cam_shows(case):
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    traced, points, images, labels = case
    maps = heat_maps(traced, points, images, labels)
    targets = [ClassifierOutputTarget(label) for label in labels.tolist()]
    compared = 0
    for point, ours in zip(points, maps, strict=True):
        layer = _Marked(traced, point.node)
        with GradCAM(layer, [layer.mark]) as cam:
            theirs = cam(images.clone(), targets)
        shown = ours.flatten(1).amax(1) > 0
        compared += int(shown.sum())
        np.testing.assert_allclose(ours[shown], theirs[shown.numpy()], atol=2e-3)
    assert compared > len(points)


def test_maps_span_zero_to_one_or_are_zero(case):
    traced, points, images, labels = case
    maps = heat_maps(traced, points, images, labels)
    assert maps.shape == (len(points), len(images), *images.shape[2:])
    assert set(maps.amax((2, 3)).flatten().tolist()) <= {0.0, 1.0}
    assert maps.amin() == 0
    assert maps.any()


def test_maps_of_channels_last_features_are_those_of_the_same_features_turned(case):
    images, labels = torch.rand(3, 3, 8, 8), torch.tensor([0, 1, 2])
    first = nn.Conv2d(3, 4, 3, padding=1)
    last = nn.Sequential(nn.Flatten(), nn.Linear(4 * 64, 3))
    turned = nn.Sequential(first, _Turn(0, 2, 3, 1), _Turn(0, 3, 1, 2), last)
    straight = trace(nn.Sequential(first, last), images)
    at_first = split_points(straight, "all")[:1]
    traced = trace(turned, images)
    node = next(n.name for n in traced.graph.nodes if tuple(n.meta["shape"])[1:] == (8, 8, 4))
    point = dataclasses.replace(at_first[0], node=node, shape=(8, 8, 4), channels_last=True)
    expected = heat_maps(straight, at_first, images, labels)
    assert torch.equal(heat_maps(traced, [point], images, labels), expected)


def test_a_point_without_rows_and_columns_is_refused(case):
    traced, points, images, labels = case
    flat = dataclasses.replace(points[0], shape=(6,))
    with pytest.raises(ValueError, match=r"no heat map at .*: its features have shape \(6,\)"):
        heat_maps(traced, [flat], images, labels)


def test_pictures_are_hot_where_the_map_is(case):
    maps = torch.zeros(1, 1, 4, 4)
    maps[0, 0, 0, 0] = 1
    (picture,) = overlays(np.full((1, 4, 4, 3), 0.5, np.float32), maps)[0]
    red, _, blue = picture[0, 0].astype(int)
    assert red > blue
    assert (picture[1:, 1:, 2] > picture[1:, 1:, 0]).all()


class _Marked(nn.Module):
    """The traced model with a module at one node, as the package wants a layer to look at."""

    def __init__(self, traced, node):
        super().__init__()
        self.mark = nn.Identity()
        self.traced, self.node = traced, node
        self.weight = nn.Parameter(torch.zeros(1))  # the package asks the first for its device

    def forward(self, x):
        return _Interpreter(self.traced, self.node, self.mark).run(x)


class _Interpreter(torch.fx.Interpreter):
    def __init__(self, traced, node, mark):
        super().__init__(traced)
        self.node, self.mark = node, mark

    def run_node(self, n):
        value = super().run_node(n)
        return self.mark(value) if n.name == self.node else value


class _Turn(nn.Module):
    def __init__(self, *order):
        super().__init__()
        self.order = order

    def forward(self, x):
        return x.permute(*self.order)


def test_a_map_of_one_value_is_cold_whatever_the_upscaling_rounds():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.ReLU(), nn.Flatten(), nn.Linear(5, 4)
    )
    images = torch.rand(6, 3, 33, 33)
    traced = trace(net, images[:2])
    points = [point for point in split_points(traced, "all") if point.shape == (5, 1, 1)]
    maps = heat_maps(traced, points, images, torch.zeros(6, dtype=torch.int64))
    assert points
    assert not maps.any()
