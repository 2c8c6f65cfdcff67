"""Ways to a wrong CUI curve that others fell into: each is shown to go wrong, and ours not to."""

import copy

import nets
import pytest
import reference
import torch
from conftest import build
from torch import nn

from isplit.graph import split_at, split_points, trace
from isplit.importance import importance_curves


def cui(traced, points, images, labels):
    return importance_curves(traced, points, [(images, labels)], nets.CLASSES, ["cui"])["cui"]


def right(traced, points, images, labels):
    values = reference.cui_values(traced, points, images, labels)
    return reference.class_first_mean(values, labels).tolist()


def test_a_model_left_in_training_mode():
    """BatchNorm would normalise by the batch: the published code's dips in its ResNet-50 curve."""
    traced, points, images, labels = build("residual")
    expected = right(traced, points, images, labels)
    settled = split_at(traced, points[-1])[0].eval()(images)
    for module in traced.modules():
        module.training = True
    naive, _ = split_at(copy.deepcopy(traced), points[-1])
    assert not torch.allclose(naive(images), settled)  # here is something to fall into
    assert cui(traced, points, images, labels).values == pytest.approx(expected, rel=1e-9)


def test_a_mean_over_the_batch():
    """The gradient of a mean over the batch shrinks as the batch grows, and the curve with it."""
    traced, points, images, labels = build("chain")
    whole = cui(traced, points, images, labels).values
    twice = cui(traced, points, torch.cat([images, images]), torch.cat([labels, labels])).values
    assert twice == pytest.approx(whole, rel=1e-12)

    pixels = images.clone().requires_grad_()
    logits = traced(pixels).gather(1, labels[:, None])
    (shrunk,) = torch.autograd.grad(logits.mean(), pixels, retain_graph=True)
    (full,) = torch.autograd.grad(logits.sum(), pixels)
    assert torch.allclose(shrunk * len(images), full)
    assert not torch.allclose(shrunk, full)


def test_features_behind_an_in_place_relu():
    """A hook that keeps the convolution's output finds the ReLU's in its place."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    ).double()
    images, labels = torch.randn(6, 3, 8, 8).double(), torch.tensor([0, 1, 2, 0, 1, 2])
    kept = []
    hook = net[0].register_forward_hook(lambda module, inputs, output: kept.append(output))
    net(images)
    hook.remove()
    assert not torch.equal(kept[0], net[0](images))  # overwritten after it was kept
    traced = trace(net, images[:2])
    points = split_points(traced, "all")
    assert cui(traced, points, images, labels).values == pytest.approx(
        right(traced, points, images, labels), rel=1e-9
    )


def test_a_mean_of_logarithms():
    """Images with an exactly zero map would send a mean of logarithms to minus infinity."""
    traced, points, images, labels = build("chain")
    per_image = reference.cui_values(traced, points, images, labels)
    of_logs = per_image.log().mean(1).exp()
    ours = torch.tensor(cui(traced, points, images, labels).values, dtype=torch.float64)
    emptied = (of_logs == 0) & (ours > 0)
    assert emptied.any()  # here is something to fall into
    assert ours.tolist() == pytest.approx(right(traced, points, images, labels), rel=1e-9)
