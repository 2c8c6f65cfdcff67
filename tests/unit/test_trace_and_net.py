"""A trace answers as its net does, or is refused: kinds of nets by hand, and random ones."""

import random
from collections import Counter

import cases
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from isplit.backbones import build_backbone
from isplit.graph import split_at, split_points, trace

NETS = 200


class Small(nn.Module):
    """Two convolutions and a classifier; ``forward`` of a subclass does the harm."""

    def __init__(self):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6))
        self.relu = nn.ReLU(inplace=True)
        self.pos = nn.Parameter(torch.randn(1, 6, 4, 4))
        self.c, self.fc = nn.Conv2d(6, 8, 3, 1, 1), nn.Linear(8, 5)

    def ends(self, x):
        return self.fc(self.c(x).relu().mean((2, 3)))


class InPlaceOnAView(Small):
    def forward(self, x):
        x = self.a(x)
        self.relu(x.flatten(2))
        return self.ends(x)


class ViewTakenBefore(Small):
    def forward(self, x):
        x = self.a(x)
        rows = x.flatten(2)
        x.relu_()
        return self.ends(x) + rows.mean((1, 2))[:, None]


class PartScaled(Small):
    def forward(self, x):
        x = self.a(x)
        part = x[:, :2]
        part *= 0.1
        return self.ends(x)


class LargeValuesOnly(Small):
    def forward(self, x):
        x = self.a(x)
        x.transpose(2, 3).clamp_(max=5)
        return self.ends(x)


class Autocast(Small):
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            x = self.c(self.a(x).float())
        return self.fc(x.float().mean((2, 3)))


class ZeroHead(InPlaceOnAView):
    """A head of zeros answers zero, whatever was lost on the way."""

    def __init__(self):
        super().__init__()
        nn.init.zeros_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)


class Hooked(Small):
    def __init__(self):
        super().__init__()
        self.register_forward_pre_hook(lambda module, given: ((given[0] - 0.45) / 0.225,))

    def forward(self, x):
        return self.ends(self.a(x))


class Dice(Small):
    def forward(self, x):
        return self.ends(F.dropout(self.a(x), training=True))


class Mapped(Small):
    def forward(self, x):
        return {"logits": self.ends(self.a(x))}


class Paired(Small):
    def forward(self, x):
        x = self.a(x)
        return self.ends(x), x


class Blind(Small):
    def forward(self, x):
        return self.ends(self.a(x) * 0)


class SecondName(Small):
    def forward(self, x):
        x = self.a(x)
        skip = x
        x += self.pos
        return self.ends(x.relu() + skip)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (InPlaceOnAView, r"cannot be split: its trace answers otherwise, by up to .*\(relu\)"),
        (ViewTakenBefore, r"by up to .* in-place changes of a view \(relu_?\)"),
        (PartScaled, r"by up to .* in-place changes of a view \(imul\)"),
        (LargeValuesOnly, r"by up to .* in-place changes of a view \(clamp_?\)"),
        (Autocast, r"by up to .* `autocast`"),
        (ZeroHead, r"by up to .*\(relu\)"),
        (Hooked, r"hooks on Hooked itself \(trace nn\.Sequential\(net\)\)"),
        (Dice, r"Dice cannot be split: it answers the same images differently each time"),
        (Mapped, r"Mapped cannot be split: it answers with a dict, no tensor"),
        (Paired, r"Paired cannot be split: it answers with a tuple, no tensor"),
        (Blind, r"Blind cannot be checked: it answers all random images alike"),
    ],
)
def test_a_net_that_its_trace_does_not_equal_is_refused(net, message):
    with pytest.raises(ValueError, match=message):
        trace(cases.shaken(net, 0), torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("seed", [0, 3, 12])
def test_a_net_whose_untrained_weights_let_little_through_is_checked_with_louder_images(seed):
    torch.manual_seed(seed)
    net = build_backbone("mobilenet_v3_small", 3, image_size=32).eval()
    images = torch.randn(2, 3, 32, 32)
    assert _all_equal(net, trace(net, images[:1]), images)


def test_what_is_advised_for_hooks_works_and_a_second_name_is_followed():
    images = torch.randn(2, 3, 8, 8)
    for net in (nn.Sequential(cases.shaken(Hooked, 0)), cases.shaken(SecondName, 0)):
        assert _all_equal(net.eval(), trace(net, images[:1]), images)


def test_weights_moved_for_the_comparison_are_put_back():
    net = cases.shaken(SecondName, 0)
    nn.init.zeros_(net.fc.weight)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    trace(net, torch.zeros(1, 3, 8, 8))
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_a_forward_put_on_the_object_is_followed():
    net, images = cases.shaken(SecondName, 0).eval(), torch.randn(2, 3, 8, 8)
    net.forward = lambda x: net.ends(net.a(x))
    assert _all_equal(net, trace(net, images[:1]), images)


class Made(Small):
    def forward(self, x):
        return self.ends(nn.ReLU()(self.a[1:](self.a[:1](x))))


class Wrapper(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Made()

    def forward(self, *images, **others):
        return self.net(*images, **others)


def test_modules_made_in_a_forward_and_any_arguments_are_followed():
    net, images = cases.shaken(Wrapper, 0).eval(), torch.randn(2, 3, 8, 8)
    graph = trace(net, images[:1])
    assert _all_equal(net, graph, images)
    assert [point.name for point in split_points(graph)] == ["net.relu", "net.relu_1"]


class Encoder(Small):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(6, 2, 12, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(6))
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        return self.fc(self.encoder(self.a(x).flatten(2).transpose(1, 2)).mean(1))


def test_the_layers_of_a_transformer_encoder_are_split_points():
    net, images = cases.shaken(Encoder, 0).eval(), torch.randn(2, 3, 8, 8)
    graph = trace(net, images[:1])
    assert _all_equal(net, graph, images)
    names = ["transpose", "encoder.layers.0", "encoder.layers.1"]
    points = split_points(graph)
    assert [(point.name, point.channels_last) for point in points] == [(n, True) for n in names]


class DoubleInside(Small):
    def forward(self, x):
        return self.ends(self.relu(self.a(x)).double().clamp(max=9).float())


def test_features_of_another_type_than_the_images_are_no_split_point():
    graph = trace(cases.shaken(DoubleInside, 0), torch.zeros(1, 3, 8, 8))
    names = [point.name for point in split_points(graph, "all")]
    assert names[2:5] == ["relu", "float", "c"], names


def test_compiled_nets_are_taken_apart():
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), cases.chain())
    net[2][0] = torch.compile(net[2][0])
    net.compile()
    net[2][1] = torch.compile(nn.Sequential(torch.compile(net[2][1])))
    points = split_points(trace(torch.compile(net), torch.zeros(1, 3, 8, 8)))
    assert [point.name for point in points] == ["1", "2.1", "2.2", "2.4"]
    assert "2.0.weight" in net.state_dict(), "not under the name of a wrapper"


@torch.fx.wrap
def doubled(x):
    return x.mul_(2)


class Helped(Small):
    """Whose helper changes the tensor that it is given, and gives it back."""

    def forward(self, x):
        return self.ends(doubled(self.a(x)))


def test_no_point_has_features_that_the_tail_overwrites():
    net, images = cases.shaken(Helped, 0).eval(), torch.randn(2, 3, 8, 8)
    graph = trace(net, images[:1])
    points = split_points(graph, "all")
    assert [p.name for p in points] == ["a.0", "doubled", "c", "relu", "mean"]
    for head, tail in (split_at(graph, point) for point in points):
        features = head(images)
        kept = features.clone()
        tail(features)
        assert torch.equal(features, kept)


class Filter(Small):
    """Complex weights that begin as ones, as in nets that work on frequencies."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(6, 4, 3, dtype=torch.complex64))

    def forward(self, x):
        return self.ends(torch.fft.irfft2(torch.fft.rfft2(self.a(x)) * self.weight, s=(4, 4)))


def test_a_net_with_complex_weights_is_checked():
    net, images = cases.shaken(Filter, 0).eval(), torch.randn(2, 3, 8, 8)
    assert _all_equal(net, trace(net, images[:1]), images)
    assert (net.weight == 1).all()


class RandomNet(nn.Module):
    """Steps drawn at random: in place or not, on views, over skips, in several layouts."""

    def __init__(self, dice: random.Random):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.linear, self.layer_norm = nn.Linear(4, 4), nn.LayerNorm(4)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(4, 3)
        self.pos = nn.Parameter(torch.randn(1, 4, 6, 6))
        self.steps = dice.choices(list(STEPS), k=dice.randint(2, 6))
        if dice.random() < 0.2:
            self.conv.register_forward_hook(lambda module, given, out: out * 0.5)
        if dice.random() < 0.1:
            self.register_forward_hook(lambda module, given, out: out + 1)
        if dice.random() < 0.2:
            self.norm = nn.Sequential(self.norm, self.relu)  # one in-place module at two places

    def forward(self, x):
        x = self.stem(x)
        kept = x
        for step in self.steps:
            x, kept = STEPS[step](self, x, kept)
        return self.fc((x + 0.1 * kept.mean((2, 3), keepdim=True)).mean((2, 3)))


def _in_place_part(net, x, kept):
    part = x[:, :2]
    part *= 0.5
    return x, kept


def _add_in_place(net, x, kept):
    x += net.pos
    return x, kept


def _add_kept_in_place(net, x, kept):
    x = net.conv(x)
    x += kept
    return x, kept


STEPS = {
    "conv": lambda net, x, kept: (net.conv(x), kept),
    "norm": lambda net, x, kept: (net.norm(x), kept),
    "relu module": lambda net, x, kept: (net.relu(x), kept),
    "relu_": lambda net, x, kept: (F.relu(x, inplace=True), kept),
    "method in place": lambda net, x, kept: (x.mul_(1.1), kept),
    "view in place": lambda net, x, kept: (net.relu(x.flatten(2)).view_as(x) * 1.0, kept),
    "view and on": lambda net, x, kept: (net.relu(x.flatten(2)).sum() * 0 + x, kept),
    "part": _in_place_part,
    "+=": _add_in_place,
    "+= kept": _add_kept_in_place,
    "keep": lambda net, x, kept: (net.conv(x), x),
    "keep a view": lambda net, x, kept: (net.conv(x), x.transpose(2, 3)),
    "channels last": lambda net, x, kept: (
        net.layer_norm(net.linear(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2),
        kept,
    ),
    "tokens": lambda net, x, kept: (
        net.linear(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(x.shape),
        kept,
    ),
    "split and join": lambda net, x, kept: (torch.cat(x.chunk(2, 1)[::-1], 1), kept),
}


def test_random_nets_are_split_bit_equal_or_refused():
    outcomes = Counter()
    images = torch.randn(3, 3, 6, 6, generator=torch.Generator().manual_seed(5))
    for seed in range(NETS):
        net = cases.shaken(lambda seed=seed: RandomNet(random.Random(seed)), seed).eval()
        try:
            graph = trace(net, images[:1])
        except ValueError:
            outcomes["refused"] += 1
            continue
        outcomes["split"] += 1
        assert _all_equal(net, graph, images), (seed, net.steps)
    assert outcomes["split"] > NETS / 3, outcomes
    assert outcomes["refused"] > NETS / 10, outcomes


@torch.no_grad()
def _all_equal(net, graph, images):
    try:
        points = split_points(graph, "all")
    except ValueError:  # nowhere to split
        points = []
    pieces = [split_at(graph, point) for point in points]
    expected = net(images.clone())
    return all(torch.equal(tail(head(images)), expected) for head, tail in pieces) and torch.equal(
        graph(images), expected
    )
