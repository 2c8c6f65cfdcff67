import weakref

import nets
import pytest
import torch
from torch import fx, nn

from isplit.graph import split_points, trace
from isplit.importance.taps import tapped
from isplit.point import SplitPoint


def test_points_are_visited_from_the_deepest_with_their_shapes(case):
    traced, points, images, _ = case
    seen = []

    def visit(position, features, gradients):
        assert not features.requires_grad
        seen.append((position, features.shape, gradients.shape))

    with tapped(traced, points, visit) as model:
        model(images).sum().backward()
    shapes = [torch.Size((len(images), *point.shape)) for point in points]
    assert seen == [(p, shapes[p], shapes[p]) for p in reversed(range(len(points)))]


def test_the_tapped_model_answers_like_the_model(case):
    traced, points, images, _ = case
    with tapped(traced, points, _ignore) as model:
        logits = model(images)
    assert torch.equal(logits, traced.eval()(images))


def test_features_are_let_go_as_the_backward_pass_leaves_them(chain):
    traced, points, images, _ = chain
    alive, left = {}, []

    def visit(position, features, gradients):
        alive[position] = weakref.ref(features)
        left.append(sum(ref() is not None for p, ref in alive.items() if p > position))

    with tapped(traced, points, visit) as model:
        model(images).sum().backward()
    assert left == [0] * len(points)
    assert not any(ref() is not None for ref in alive.values())


def test_the_backward_pass_ends_at_the_first_point(chain):
    traced, points, images, _ = chain
    with tapped(traced, points[3:], _ignore) as model:
        logits = model(images.requires_grad_())
        logits.sum().backward()
    assert images.grad is None
    assert all(p.grad is None for p in traced.parameters())


def test_a_model_failing_halfway_is_left_as_it_was(chain):
    _, _, images, _ = chain
    net = nn.Sequential(nets.make("chain"), _Fails()).train()
    traced = fx.GraphModule(net, _LeafTracer().trace(net))
    nodes = [node.name for node in traced.graph.nodes]
    point = SplitPoint(0, "0.1", (4, 9, 9), "_0_1", 0, 0, 0)
    assert point.node in nodes
    with pytest.raises(ZeroDivisionError), tapped(traced, [point], _ignore) as model:
        model(images)
    assert [node.name for node in traced.graph.nodes] == nodes
    assert all(module.training for module in traced.modules())
    assert all(p.requires_grad for p in traced.parameters())
    assert not any(m._forward_hooks or m._backward_hooks for m in net.modules())


def test_a_failing_visit_is_not_swallowed(chain):
    traced, points, images, _ = chain

    def visit(position, features, gradients):
        raise KeyError("visit")

    with pytest.raises(KeyError, match="visit"), tapped(traced, points, visit) as model:
        model(images).sum().backward()
    assert all(p.requires_grad for p in traced.parameters())


def test_overwritten_features_are_refused(chain):
    _, _, images, _ = chain
    traced = fx.symbolic_trace(nets.make("chain"))  # with its in-place ReLUs
    points = [SplitPoint(0, "0", (), "_0", 0, 0, 0), SplitPoint(1, "2", (), "_2", 0, 0, 0)]
    tail_only = points[1:]
    with (
        pytest.raises(ValueError, match="features at 2 were overwritten in place"),
        tapped(traced, [_after(points[0], "1"), *tail_only], _ignore) as model,
    ):
        model(images).sum().backward()


def test_activations_of_every_spelling_are_seen_through():
    torch.manual_seed(0)
    net, images = _Spellings().eval(), torch.randn(2, 3, 8, 8)
    traced = trace(net, images)
    points = split_points(traced, "all")
    negative = {}

    def visit(position, features, gradients):
        negative[points[position].node] = bool((features < 0).any())

    activations = [p for p in points if "relu" in p.node]
    assert len(activations) == 3
    with tapped(traced, points, visit, tap="pre_activation") as model:
        model(images).sum().backward()
    assert all(negative[point.node] for point in activations)


class _Spellings(nn.Module):
    """ReLU as module, function and method."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.relu(self.convs[0](x))
        x = nn.functional.relu(self.convs[1](x))
        return self.convs[2](x).relu().mean((2, 3))


class _Fails(nn.Module):
    def forward(self, x):
        raise ZeroDivisionError


class _LeafTracer(fx.Tracer):
    def is_leaf_module(self, m, module_qualified_name):
        return isinstance(m, _Fails) or super().is_leaf_module(m, module_qualified_name)


def _after(point, node):
    return SplitPoint(point.index, node, (), f"_{node}", 0, 0, 0)


def _ignore(position, features, gradients):
    pass
