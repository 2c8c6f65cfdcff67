"""Split points of the tiny nets, against closed forms and slow twins; then real architectures."""

from itertools import pairwise

import cases
import pytest
import torch
from torch import fx, nn
from torchvision import models

from isplit.backbones import build_backbone
from isplit.graph import classifier_of, split_at, split_points, trace
from isplit.graph.layers import with_aliases
from isplit.graph.nodes import clean_cuts

ONE_OF_EACH_KIND = [
    "mobilenet_v3_small",
    "resnet18",
    "googlenet",
    "squeezenet1_1",
]


def traced(name):
    return trace(cases.make(name), cases.images(name, count=1))


@pytest.mark.parametrize("name", cases.SPLITTABLE)
def test_points_of_a_tiny_net(name):
    graph = traced(name)
    assert tuple(p.name for p in split_points(graph)) == cases.CASES[name].points
    assert len(split_points(graph, "all")) == cases.CASES[name].all_points


@pytest.mark.parametrize("name", cases.SPLITTABLE)
def test_head_and_tail_give_the_models_bits_on_any_batch(name):
    net, images = cases.make(name).eval(), cases.images(name, count=5)
    graph = trace(net, images[:1])
    for point in split_points(graph, "all"):
        head, tail = split_at(graph, point)
        features = head(images)
        assert features.shape[1:] == point.shape or features.shape[0] != len(images)
        assert torch.equal(tail(features), net(images)), point.name


@pytest.mark.parametrize("name", cases.CASES)
def test_cuts_are_the_nodes_without_which_the_output_is_cut_off(name):
    graph = traced(name).graph
    slow = [n for n in graph.nodes if n.op != "output" and not _reaches_output_without(graph, n)]
    assert [n for n in clean_cuts(graph) if n.users] == slow


def _reaches_output_without(graph: fx.Graph, removed: fx.Node) -> bool:
    source = next(n for n in graph.nodes if n.op == "placeholder")
    stack, seen = [source], {removed}
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(node.users)
    return any(n.op == "output" for n in seen)


@pytest.mark.parametrize("name", [n for n in cases.CASES if n != "mutating_helper"])
def test_no_node_overwrites_another(name):
    graph = traced(name)
    kept = _Keeper(graph)
    kept.run(cases.images(name))
    assert all(torch.equal(value, copy) for value, copy in kept.values)


class _Keeper(fx.Interpreter):
    """Keeps every tensor and a copy made when it was new."""

    def __init__(self, graph):
        super().__init__(graph)
        self.values = []

    def run_node(self, n):
        value = super().run_node(n)
        if isinstance(value, torch.Tensor):
            self.values.append((value, value.clone()))
        return value


def test_macs_and_parameters_in_closed_form():
    points = split_points(traced("chain"))
    conv1, conv2, linear = 8 * 8 * 4 * 3 * 9, 4 * 4 * 6 * 4 * 9, 6 * 4 * 4 * cases.CLASSES
    assert [p.head_macs for p in points] == [conv1, conv1, conv1 + conv2]
    assert [p.tail_macs for p in points] == [conv2 + linear, conv2 + linear, linear]
    assert [p.head_params for p in points] == [112, 112, 112 + 6 * 4 * 9 + 6]
    assert [p.shape for p in points] == [(4, 8, 8), (4, 4, 4), (6, 4, 4)]
    assert [p.feature_bytes for p in points] == [1024, 256, 384]


def test_attention_counts_in_macs():
    first, second = split_points(traced("tokens"))[1:]
    tokens, width = 17, 8
    linear = tokens * (4 * width**2 + 4 * width**2)
    attention = 2 * tokens**2 * width
    assert second.head_macs - first.head_macs == linear + attention


class Recurrent(nn.Module):
    """Sixteen patches one after the other through a layer that returns (sequence, state)."""

    def __init__(self, layer):
        super().__init__()
        self.conv, self.layer, self.fc = nn.Conv2d(3, 4, 2, 2), layer, nn.Linear(12, cases.CLASSES)

    def forward(self, x):
        return self.fc(self.layer(self.conv(x).flatten(2).transpose(1, 2))[0].mean(1))


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers_count_in_macs_and_are_layers(kind, gates):
    layer = kind(4, 6, num_layers=2, bidirectional=True, batch_first=True)
    points = split_points(trace(Recurrent(layer), torch.zeros(1, 3, 8, 8)))
    first, second = 6 * (4 + 6), 6 * (12 + 6)
    assert [p.shape for p in points] == [(16, 4), (16, 12)]
    assert points[1].head_macs - points[0].head_macs == 16 * gates * 2 * (first + second)


class Pooled(nn.Module):
    """Two images of itself are multiplied, then tokens are weighed by a query."""

    def __init__(self):
        super().__init__()
        self.conv, self.pairs = nn.Conv2d(3, 4, 2, 2), nn.Bilinear(4, 4, 6)
        self.query, self.fc = nn.Parameter(torch.ones(6)), nn.Linear(6, cases.CLASSES)

    def forward(self, x):
        x = self.conv(x).flatten(2).transpose(1, 2)
        x = self.pairs(x, x.tanh())
        return self.fc((x * (x @ self.query).softmax(1)[:, :, None]).sum(1))


def test_bilinear_layers_and_products_with_a_vector_count_in_macs():
    points = split_points(trace(Pooled(), torch.zeros(1, 3, 8, 8)), "all")
    macs = {p.name: p.head_macs for p in points}
    assert macs["pairs"] - macs["transpose"] == 16 * 4 * 4 * 6
    assert macs["sum"] - macs["pairs"] == 16 * 6


@torch.library.custom_op("isplit_tests::times", mutates_args=())
def _times(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return torch.einsum("nchw,dc->ndhw", x, weight)


@_times.register_fake
def _(x, weight):
    return x.new_empty(len(x), len(weight), *x.shape[2:])


class Foreign(nn.Module):
    """Its second layer is an operation of somebody's own."""

    def __init__(self):
        super().__init__()
        self.conv, self.weight = nn.Conv2d(3, 4, 1), nn.Parameter(torch.randn(5, 4))
        self.fc = nn.Linear(5, cases.CLASSES)

    def forward(self, x):
        x = torch.ops.isplit_tests.times(self.conv(x), self.weight)
        return self.fc(x.mean((2, 3)))


def test_work_that_nobody_counts_is_said(caplog):
    trace(Foreign(), torch.zeros(1, 3, 8, 8))
    assert "multiply-accumulates that are not known count as 0: isplit_tests.times" in caplog.text
    caplog.clear()
    trace(cases.make("tokens"), cases.images("tokens"))
    assert not caplog.text


class EarlyWeights(nn.Module):
    """The classifier's weights are made at the beginning, from two smaller matrices."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)
        self.a = nn.Parameter(torch.randn(cases.CLASSES, 2))
        self.b = nn.Parameter(torch.randn(2, 4))

    def forward(self, x):
        small = self.a * 2
        weight, same = small @ self.b, small.sum()
        x = self.conv2(self.conv1(x).relu()).relu()
        return nn.functional.linear(x.mean((2, 3)), weight) * same


def test_what_only_the_tail_needs_is_paid_by_the_tail():
    graph = trace(EarlyWeights(), torch.zeros(1, 3, 8, 8))
    points = split_points(graph)
    assert [p.head_macs for p in points] == [64 * 12, 64 * (12 + 16)]
    assert [p.tail_macs for p in points] == [64 * 16 + 12 * cases.CLASSES, 12 * cases.CLASSES]
    heads = [split_at(graph, point)[0] for point in points]
    assert [p.head_params for p in points] == [_parameters(head) for head in heads]


def _parameters(net):
    return sum(parameter.numel() for parameter in net.parameters())


def test_a_shared_parameter_counts_once():
    conv = nn.Conv2d(3, 3, 3, padding=1)
    net = nn.Sequential(conv, nn.ReLU(), conv, nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
    points = split_points(trace(net, torch.zeros(1, 3, 4, 4)))
    assert [p.head_params for p in points] == [84, 84]


def test_late_sizes_are_read_from_the_last_cut_and_only_where_they_cross():
    graph = traced("late_sizes").graph
    constants = [n.kwargs["size"] for n in graph.nodes if "interpolate" in n.name]
    assert constants == [(8, 8)]
    assert [n.target for n in graph.nodes if n.op == "call_method" and n.target == "size"]
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    other = trace(net.append(nn.Linear(4, 2)), torch.zeros(1, 3, 8, 8))
    assert other(torch.zeros(2, 3, 20, 12)).shape == (2, 2), "nothing crossed, nothing is frozen"


def test_the_model_is_given_back_as_it_was():
    net = cases.make("normalised")
    net[1].eval()
    modes = [m.training for m in net.modules()]
    graph = trace(net, cases.images("normalised"))
    assert [m.training for m in net.modules()] == modes
    assert net[2].inplace
    assert net[3].inplace
    assert all(a is b for a, b in zip(graph.parameters(), net.parameters(), strict=True))


@pytest.mark.parametrize("training", [False, True])
def test_pieces_have_the_modes_of_the_whole(training):
    net = cases.make("residual").train(training)
    graph = trace(net, cases.images("residual"))
    for piece in (graph, *split_at(graph, split_points(graph)[1])):
        assert {m.training for m in piece.modules()} == {training}


def test_a_trace_can_be_fine_tuned():
    torch.manual_seed(0)
    graph = traced("sometimes_residual").train()
    images = cases.images("sometimes_residual", count=8)
    assert not torch.equal(graph(images), graph(images)), (
        "StochasticDepth drops paths in train mode"
    )
    assert torch.equal(graph.eval()(images), graph(images))
    graph(images).sum().backward()
    assert all(p.grad is not None for p in graph.parameters())


def test_reason_why_a_model_cannot_be_traced():
    class Decides(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ValueError, match=r"Decides cannot be traced: TraceError: symbolically"):
        trace(Decides(), torch.zeros(1, 3, 4, 4))


def test_models_without_a_split_point():
    with pytest.raises(ValueError, match=r"NoSplit has no split point .* nowhere between input"):
        split_points(traced("no_split"))
    with pytest.raises(ValueError, match=r"granularity=layer: 3 places .* carry no feature map"):
        split_points(traced("vectors"))
    assert [p.shape for p in split_points(traced("vectors"), "all")] == [(48,), (8,), (8,)]


def test_unknown_granularity():
    with pytest.raises(ValueError, match=r"split.granularity='block' is none of layer, all"):
        split_points(traced("chain"), "block")


def test_point_of_another_model():
    point = split_points(traced("residual"))[1]
    with pytest.raises(ValueError, match=r"split point 'block1' .* is not in Sequential"):
        split_at(traced("chain"), point)


def test_names_are_unique_and_those_of_layers_hold_at_all():
    graph = traced("sometimes_residual")
    names = [p.name for p in split_points(graph, "all")]
    assert len(set(names)) == len(names)
    assert {p.name for p in split_points(graph)} <= set(names)


@pytest.mark.parametrize("name", ["vgg11", "vgg16_bn"])
def test_papers_names_of_vgg(name):
    with torch.device("meta"):
        graph = trace(models.get_model(name), torch.zeros(1, 3, 64, 64))
    points = with_aliases(name, split_points(graph))
    assert all(p.label.startswith("block") for p in points)
    assert points[-1].label == "block5_pool"
    pools = [p.label for before, p in pairwise(points) if "pool" in p.label]
    assert pools == [f"block{b}_pool" for b in range(1, 6)]
    everywhere = with_aliases(name, split_points(graph, "all"))
    assert [p.label for p in everywhere if p.aliases] == [p.label for p in points]


def test_maps_with_channels_last():
    points = split_points(traced("permuted"), "all")
    assert [p.name for p in points if p.channels_last] == ["permute", "norm", "linear", "gelu"]
    assert [p.name for p in points if not p.channels_last] == ["stem", "permute_1", "conv", "mean"]


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_every_point_of_a_torchvision_model(name):
    torch.manual_seed(0)
    net, image = (
        build_backbone("torchvision", 10, arch=name, image_size=64),
        torch.randn(1, 3, 64, 64),
    )
    graph, images = trace(net.eval(), image), torch.randn(2, *image.shape[1:])
    points = split_points(graph, "all")
    assert len(points) > len(split_points(graph)) >= 10
    assert all(point.channels_last is False for point in split_points(graph))
    with torch.no_grad():
        for point in points:
            head, tail = split_at(graph, point)
            assert torch.equal(tail(head(images)), net(images)), point.name


class Squeezed(nn.Module):
    """The classifier is a convolution, and a linear layer was registered after it."""

    def __init__(self):
        super().__init__()
        self.body, self.classifier = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 1)
        self.gate, self.other = nn.Linear(4, 4), nn.Linear(5, 5)

    def forward(self, x, both=False):
        x = self.body(x)
        x = x * self.gate(x.mean((2, 3))).sigmoid()[:, :, None, None]
        y = self.classifier(x).relu().mean((2, 3))
        return y + self.other(y) if both else y


class SideBySide(Squeezed):
    def forward(self, x):
        y = self.body(x).mean((2, 3))
        return self.gate(y) + self.other(torch.cat([y, y[:, :1]], 1))[:, :4]


class OfItsOwn(nn.Linear):
    """The last layer is no module of torch's: the module around the operation is meant."""

    def forward(self, x):
        return nn.functional.linear(x, self.weight / self.weight.norm(dim=1, keepdim=True))


class Pairs(nn.Module):
    """The last layer multiplies two vectors."""

    def __init__(self):
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 4, 1), nn.Bilinear(4, 4, cases.CLASSES)

    def forward(self, x):
        x = self.conv(x).mean((2, 3))
        return self.last(x, x.tanh())


def test_the_classifier_is_the_last_layer_of_the_graph_or_the_one_named():
    assert classifier_of(Squeezed()) == "classifier"
    assert classifier_of(Squeezed(), "other") == "other"
    assert classifier_of(cases.make("tokens")) == "head"
    assert classifier_of(models.squeezenet1_1()) == "classifier.1"
    assert classifier_of(nn.Sequential(nn.Flatten(), OfItsOwn(12, 3), nn.Softmax(1))) == "1"
    assert classifier_of(Pairs()) == "last", "and not the convolution before it"
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(12, 3))
    assert classifier_of(nn.Sequential(nn.Linear(12, 12), nn.Flatten(), normed)) == "2"


def test_a_classifier_that_is_not_to_be_told_is_asked_for():
    with pytest.raises(ValueError, match=r"2 layers give the answer side by side: .*model\.head="):
        classifier_of(SideBySide())
    with pytest.raises(ValueError, match=r"model\.head='fc' is none of: body, classifier, gate"):
        classifier_of(Squeezed(), "fc")

    class ByMatrix(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.names = nn.Linear(12, 4), nn.Parameter(torch.randn(3, 4))

        def forward(self, x):
            return self.body(x) @ self.names.t()

    with pytest.raises(ValueError, match=r"layers give the answer side by side"):
        classifier_of(ByMatrix())

    class Decides(Squeezed):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else x

    with pytest.raises(ValueError, match=r"the classifier cannot be found .*model\.head=other"):
        classifier_of(Decides())


class Sequences(nn.Module):
    """(C, L) from 1d convolutions, as in audio nets; a flattened map before them."""

    def __init__(self):
        super().__init__()
        self.c1, self.k1, self.b1 = nn.Conv2d(3, 4, 2, 2), nn.Conv1d(4, 6, 3), nn.BatchNorm1d(6)
        self.fc = nn.Linear(6, cases.CLASSES)

    def forward(self, x):
        return self.fc(self.b1(self.k1(self.c1(x).flatten(2))).relu().mean(2))


class WholeMapNorm(nn.Module):
    """A LayerNorm over (C, H, W) says nothing about the channels; the convolution before does."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.LayerNorm([4, 8, 8])
        self.conv2, self.fc = nn.Conv2d(4, 4, 1), nn.Linear(4, cases.CLASSES)

    def forward(self, x):
        return self.fc(self.conv2(self.norm(self.conv(x)).relu()).mean((2, 3)))


class Merged(nn.Module):
    """Maps with channels last, and a merging of patches that begins with slices, as in Swin."""

    def __init__(self):
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 4, 1), nn.Linear(4, 4)
        self.norm, self.reduce = nn.LayerNorm(16), nn.Linear(16, 6, bias=False)
        self.fc = nn.Linear(6, cases.CLASSES)

    def forward(self, x):
        x = self.conv(x).permute(0, 2, 3, 1)
        windows = x.view(-1, 2, 4, 2, 4, 4).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, 4, 4)
        windows = self.linear(windows).view(-1, 2, 2, 4, 4, 4).permute(0, 1, 3, 2, 4, 5)
        x = x + windows.reshape(-1, 8, 8, 4).roll((1, 1), (1, 2))
        x = torch.cat([x[:, i::2, j::2, :] for i in (0, 1) for j in (0, 1)], -1)
        return self.fc(self.reduce(self.norm(x)).mean((1, 2)))


class Shuffled(nn.Module):
    """Channels in groups that change places, as in ShuffleNet: together they are in one again."""

    def __init__(self):
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 1)
        self.fc = nn.Linear(6, cases.CLASSES)

    def forward(self, x):
        x = self.conv(x).relu()
        x = x.view(x.size(0), 2, 3, 8, 8).transpose(1, 2).contiguous().view(x.size(0), 6, 8, 8)
        return self.fc(self.last(x).mean((2, 3)))


class Untold(nn.Module):
    """Channels and rows are mixed: nothing in the graph tells where channels are afterwards."""

    def __init__(self):
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(16, 4, 1)
        self.fc = nn.Linear(4, cases.CLASSES)

    def forward(self, x):
        mixed = (self.conv(x).reshape(-1, 2, 16, 8) * 1.5).transpose(1, 2)
        return self.fc(self.last(mixed).mean((2, 3)))


@pytest.mark.parametrize(
    ("net", "layouts"),
    [
        (Sequences, [False, False]),
        (WholeMapNorm, [False, False]),
        (Merged, [True, True, True]),
        (Shuffled, [False, False]),
        (Untold, [None, False]),
    ],
)
def test_channels_are_followed_from_the_operation_that_put_them(net, layouts):
    torch.manual_seed(0)
    points = split_points(trace(net(), torch.zeros(1, 3, 8, 8)))
    assert [point.channels_last for point in points] == layouts


def test_where_the_channels_are_is_asked_for_and_taken():
    torch.manual_seed(0)
    graph = trace(Untold(), torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match=r"\(16, 2, 8\) .* say split\.channels=first or"):
        _ = split_points(graph)[0].channel_axis
    assert split_points(graph, channels="last")[0].channel_axis == 2
    assert split_points(graph, channels="first")[0].channel_axis == 0
    with pytest.raises(ValueError, match=r"split\.channels='middle' is none of first, last"):
        split_points(graph, channels="middle")


@pytest.mark.parametrize(
    ("name", "smaller"),
    [
        ("swin_tiny_patch4_window7_224", {"depths": (1, 1, 1, 1), "embed_dim": 24}),
        ("convnext_atto", {"depths": (1, 1, 1, 1)}),
        ("mixer_s32_224", {}),
    ],
)
def test_channels_of_timms_nets_are_known_at_every_point(name, smaller):
    timm = pytest.importorskip("timm")
    net = timm.create_model(name, pretrained=False, num_classes=3, **smaller)
    last = [p.channels_last for p in split_points(trace(net, torch.zeros(1, 3, 224, 224)))]
    assert set(last) == ({False} if "convnext" in name else {True})
