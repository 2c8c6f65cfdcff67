"""Split points of the tiny nets, against closed forms and slow twins; then real architectures."""

import importlib.util
import json
from itertools import pairwise

import cases
import pytest
import torch
from torch import fx, nn
from torchvision import models

from isplit.graph import __main__ as command
from isplit.graph import split_at, split_points, trace
from isplit.graph.aliases import with_aliases
from isplit.graph.check import check
from isplit.graph.cuts import clean_cuts
from isplit.graph.zoo import randomise_constants, torchvision_model, torchvision_names

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
    with pytest.raises(ValueError, match=r"split.granularity='block' is none of: layer, all"):
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
    verdict = check(name, *torchvision_model(name))
    assert verdict.bitwise, verdict.reason
    assert verdict.points > verdict.layers >= 10


@pytest.mark.slow
def test_every_point_of_all_torchvision_models(tmp_path):
    assert command.main(["--all", "--json", str(tmp_path / "all.json")]) == 0
    rows = json.loads((tmp_path / "all.json").read_text())["models"]
    assert len(rows) == len(torchvision_names())
    assert [row["name"] for row in rows if not row["bitwise"]] == []


def test_check_refuses_to_compare_nothing():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    net[3].register_forward_hook(lambda module, inputs, output: output * 0)
    verdict = check("blind", net, torch.zeros(1, 3, 4, 4))
    assert not verdict.bitwise
    assert "do not depend on the image" in verdict.reason


def test_check_sees_one_wrong_bit(monkeypatch):
    def off_by_one_bit(graph, point):
        head, tail = split_at(graph, point)
        return head, lambda z: tail(z) * (1 + 2**-23)

    monkeypatch.setattr("isplit.graph.check.split_at", off_by_one_bit)
    verdict = check("chain", cases.make("chain"), cases.images("chain", 1))
    assert verdict.reason == "6 points differ: 0, 1, 2"


def test_constant_weights_are_randomised():
    net = nn.Linear(4, 2)
    nn.init.zeros_(net.weight)
    bias = net.bias.clone()
    randomise_constants(net)
    assert net.weight.unique().numel() == 8
    assert torch.equal(net.bias, bias)


def test_command_lists_one_model(tmp_path, capsys):
    path = tmp_path / "new" / "points.json"
    assert command.main(["resnet18", "--image-size", "64", "--json", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "resnet18: 10 split points at 64 px" in printed
    assert "layer2.0" in printed
    assert "128x8x8" in printed
    points = json.loads(path.read_text())["points"]
    assert [p["name"] for p in points][:3] == ["relu", "maxpool", "layer1.0"]


def test_command_writes_a_row_for_every_model(tmp_path, monkeypatch, capsys):
    class Unsplittable(cases.NoSplit):
        pass

    nets = {"good": cases.make("chain"), "bad": Unsplittable()}
    monkeypatch.setattr(command, "torchvision_names", lambda: list(nets))
    monkeypatch.setattr(command, "torchvision_model", lambda n: (nets[n], torch.zeros(1, 3, 8, 8)))
    command.main(["--all", "--json", str(tmp_path / "all.json")])
    good, bad = json.loads((tmp_path / "all.json").read_text())["models"]
    assert (good["name"], good["points"], good["bitwise"], good["reason"]) == (
        "good",
        6,
        True,
        None,
    )
    assert (bad["points"], bad["bitwise"]) == (0, False)
    assert bad["reason"].startswith("Unsplittable has no split point")
    assert "1 of 2 models, 6 split points: bit-equal" in capsys.readouterr().out


def test_command_refuses_unknown_models_with_the_closest_first(capsys):
    with pytest.raises(SystemExit):
        command.main(["resnt50"])
    assert "model 'resnt50' is none of torchvision's: resnet50," in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main([])
    assert "name a model, or give --all or --timm" in capsys.readouterr().err


def test_command_says_when_timm_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        command.main(["--timm"])
    assert "--timm needs the package timm" in capsys.readouterr().err
