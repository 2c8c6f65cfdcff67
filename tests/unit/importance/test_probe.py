import dataclasses
import math

import nets
import pytest
import reference
import torch
from torch import nn

from isplit.bottleneck import code_shape
from isplit.graph import split_points, stretches, trace
from isplit.importance import codes, importance_curves, predictor_cost
from isplit.importance.linear_code import Blocks, LinearCode
from isplit.point import SplitPoint, same_rate

PARTS = ("probe", "pca_kl", "pca_nmse", "probe_overlap", "probe_folds")
RATE = same_rate(0.9)


def a_point(shape, channels_last=False):
    return SplitPoint(0, "here", shape, "here", 1, 1, 1, channels_last=channels_last)


@pytest.fixture(scope="module")
def net():
    """A small net with BatchNorms whose statistics have seen something, on 8 x 8 maps."""
    torch.manual_seed(0)
    layers = []
    for channels in (3, 6, 6):
        layers += [nn.Conv2d(channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(6 * 64, 3)).double()
    images = torch.randn(64, 3, 8, 8, dtype=torch.float64)
    model.train()(images)
    traced = trace(model.eval(), images[:2])
    return traced, split_points(traced, "layer"), images


def curves(net, kinds, rate_of=RATE, size=16):
    traced, points, images = net
    labels = torch.zeros(size, dtype=torch.int64)
    batches = [(chunk, labels) for chunk in images.split(size)]
    return importance_curves(traced, points, batches, nets.CLASSES, kinds, rate_of=rate_of)


@pytest.mark.parametrize("kind", ["probe", "probe_overlap"])
def test_the_probe_equals_its_slow_twin(kind, net):
    traced, points, images = net
    curve = curves(net, [kind])[kind]
    assert len(points) == 3
    for point, value in zip(points, curve.values, strict=True):
        channels, to_fit, to_judge = code_shape(point.shape, 0.9)[0], images[16:], images[:16]
        overlapping = kind == "probe_overlap"
        slow = reference.probe_value(traced, point, to_fit, to_judge, channels, overlapping)
        assert value == pytest.approx(float(slow), rel=1e-9)


def test_of_folds_every_image_is_judged_once_by_codes_of_the_others(net):
    traced, points, images = net
    together = curves(net, ["probe_overlap", "probe_folds", "pca_kl"])
    alone = [
        curves((traced, points, images.roll(-k, 0)), ["probe_overlap"]) for k in (0, 16, 32, 48)
    ]
    each = [found["probe_overlap"].values for found in alone]
    assert together["probe_overlap"].values == each[0]
    means = torch.tensor(each, dtype=torch.float64).mean(0).tolist()
    assert together["probe_folds"].values == pytest.approx(means, rel=1e-6)
    assert len(set(each)) == 4


@pytest.mark.parametrize("name", sorted(nets.NETS))
def test_every_kind_of_features(name):
    torch.manual_seed(0)
    images = torch.randn(24, *nets.images_and_labels(name)[0].shape[1:], dtype=torch.float64)
    traced = trace(nets.make(name), images[:2])
    points = split_points(traced, "all" if name == "chain" else "layer")
    found = curves((traced, points, images), PARTS)
    for kind in PARTS:
        assert len(found[kind].values) == len(points)
        assert found[kind].num_images == 24
        assert all(value <= 1e-12 for value in found[kind].values)  # minus an error


def test_a_code_that_spans_what_it_saw_loses_nothing():
    rows = torch.randn(20, 30, dtype=torch.float64) @ torch.randn(30, 50, dtype=torch.float64)
    code = LinearCode.fit(rows, 50)
    assert torch.allclose(code.reconstruct(rows), rows)
    assert code.axes.shape[1] <= 20


@pytest.mark.parametrize("shape", [(700, 600), (600, 700)], ids=str)
def test_a_large_code_is_nearly_the_best(shape):
    torch.manual_seed(0)
    spectrum = torch.logspace(0, -3, 600, dtype=torch.float64)
    left = torch.linalg.qr(torch.randn(shape[0], 600, dtype=torch.float64)).Q
    right = torch.linalg.qr(torch.randn(shape[1], 600, dtype=torch.float64)).Q
    rows = left * spectrum @ right.T
    error = (LinearCode.fit(rows, 60).reconstruct(rows) - rows).square().sum()
    centred = torch.linalg.svdvals(rows - rows.mean(0))
    assert error == pytest.approx(float(centred[60:].square().sum()), rel=0.04)


def test_smaller_codes_lose_more(net):
    small, large = (curves(net, ["pca_nmse"], same_rate(r))["pca_nmse"].values for r in (0.98, 0.5))
    assert all(s < b for s, b in zip(small, large, strict=True))


def test_the_model_is_left_as_it_was(net):
    traced, *_ = net
    before = {name: tensor.clone() for name, tensor in traced.state_dict().items()}
    flags = [m.training for m in traced.modules()]
    curves(net, PARTS)
    assert all(torch.equal(before[name], t) for name, t in traced.state_dict().items())
    assert flags == [m.training for m in traced.modules()]
    norms = [m for m in traced.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(norm.track_running_stats for norm in norms)


def test_the_same_numbers_every_time_whatever_the_generator(net):
    torch.manual_seed(1)
    one = curves(net, PARTS)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    assert {k: c.values for k, c in one.items()} == {
        k: c.values for k, c in curves(net, PARTS).items()
    }
    assert torch.equal(state, torch.random.get_rng_state())


def test_batches_are_only_a_way_to_carry_images(net):
    one, other = curves(net, PARTS, size=16), curves(net, PARTS, size=64)
    assert {k: c.values for k, c in one.items()} == {k: c.values for k, c in other.items()}


def test_labels_do_not_matter(net):
    traced, points, images = net
    labelled = [(images, torch.ones(64, dtype=torch.int64))]
    found = importance_curves(traced, points, labelled, nets.CLASSES, ["probe"], rate_of=RATE)
    assert found["probe"].values == curves(net, ["probe"])["probe"].values


def test_too_few_images_are_refused(net):
    traced, points, images = net
    batches = [(images[:1], torch.zeros(1, dtype=torch.int64))]
    with pytest.raises(ValueError, match=r"split\.images: 1 images are too few for a probe"):
        importance_curves(traced, points, batches, nets.CLASSES, ["probe"])


SHAPES = (
    ((4, 8, 8), False, 64),
    ((4, 7, 7), False, 64),
    ((8, 8, 4), True, 64),
    ((3, 2, 2), False, 12),
    ((5, 1, 1), False, 5),
    ((9, 6), True, 6),
    ((6, 9), False, 6),
    ((7,), False, 7),
)


@pytest.mark.parametrize(("shape", "last", "row"), SHAPES, ids=str)
def test_blocks_come_back(shape, last, row):
    blocks = Blocks.at(a_point(shape, last), 0.9)
    features = torch.randn(3, *shape)
    rows = blocks.rows(features)
    code = code_shape(shape, 0.9, channels_last=last)
    positions = (
        math.prod(code[1:])
        if len(shape) == 3 or (len(shape) == 2 and not last)
        else math.prod(code[:-1])
    )
    assert rows.shape == (3 * positions, row)
    assert torch.equal(blocks.features(rows), features)


def test_blocks_are_what_pixel_unshuffle_makes_of_a_map():
    features = torch.randn(2, 4, 8, 8)
    expected = nn.functional.pixel_unshuffle(features, 4).permute(0, 2, 3, 1).flatten(0, 2)
    assert torch.equal(Blocks.at(a_point((4, 8, 8)), 0.9).rows(features), expected)


def test_costs_are_counted_from_the_points():
    points = [
        dataclasses.replace(a_point((4,)), head_macs=1, tail_macs=3),
        dataclasses.replace(a_point((4,)), head_macs=3, tail_macs=1),
    ]
    assert predictor_cost("size", points, 0).forward == 0
    assert (
        predictor_cost("cui", points, 8).forward,
        predictor_cost("cui", points, 8).backward,
    ) == (1, 1)
    assert predictor_cost("pca_nmse", points, 8).forward == pytest.approx(0.75 + 0.25 * 2)
    assert predictor_cost("probe", points, 8).forward == pytest.approx(0.75 + 0.25 * 3)
    assert predictor_cost("probe_overlap", points, 8) == predictor_cost("probe", points, 8)
    assert predictor_cost("probe_overlap", points, 8).backward == 0
    four = predictor_cost("probe_folds", points, 8).forward
    assert four == 4 * predictor_cost("probe", points, 8).forward


def test_cosine_is_one_where_gradient_and_features_name_the_same_channels():
    """The logit is the sum of the channels, so alpha is the same for all; so are the features."""
    summing = nn.Linear(3, 3, bias=False)
    nn.init.ones_(summing.weight)
    model = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), summing)
    grey = torch.rand(4, 1, 4, 4).expand(-1, 3, -1, -1)
    traced = trace(model, grey[:2])
    batches = [(grey, torch.zeros(4, dtype=torch.int64))]
    points = split_points(traced, "all")
    curve = importance_curves(traced, points, batches, nets.CLASSES, ["cosine"])["cosine"]
    assert len(points) > 0
    assert curve.values == pytest.approx([1.0] * len(points))
    assert set(curve.per_class) == {nets.CLASSES[0]}


def test_batches_of_any_size_and_those_that_come_once_give_the_same_values(net):
    traced, points, images = net
    kinds = ("probe", "probe_overlap")

    def values(batches):
        found = importance_curves(traced, points, batches, nets.CLASSES, kinds, rate_of=RATE)
        return {kind: (curve.values, curve.num_images) for kind, curve in found.items()}

    batches = [(part, torch.zeros(len(part), dtype=torch.int64)) for part in images.split(16)]
    uneven = [(part, torch.zeros(len(part), dtype=torch.int64)) for part in images.split(7)]
    assert values(batches) == values(uneven) == values(iter(batches))


def test_large_images_are_judged_few_at_a_time():
    batches = [(torch.zeros(50, 3, 512, 512), torch.zeros(50))] * 2
    parts = list(codes.Images(batches, torch.zeros(()), 10, 90))
    assert [len(part) for part in parts] == [16] * 5


@pytest.mark.parametrize(("begin", "end"), [(0, 3), (3, 9), (8, 10), (2, 10)])
def test_images_are_those_of_a_part_or_all_the_others(begin, end):
    numbers = torch.arange(10.0).reshape(-1, 1, 1, 1)
    batches = [(part, None) for part in numbers.split(4)]
    inside = codes.Images(batches, torch.zeros(()), begin, end)
    others = dataclasses.replace(inside, others_of=10)
    found = [torch.cat(list(some)).flatten().tolist() for some in (inside, others)]
    wanted = list(range(begin, end)), [*range(begin), *range(end, 10)]
    assert found == [list(map(float, some)) for some in wanted]
    assert [len(inside), len(others)] == list(map(len, wanted))
    small = [(torch.zeros(150, 3, 4, 4), torch.zeros(150))] * 2
    assert [len(part) for part in codes.Images(small, torch.zeros(()), 0, 290)] == [97, 97, 96]


def test_the_rows_of_a_code_are_bounded_where_blocks_are_large(monkeypatch, net):
    seen = []
    fit = LinearCode.fit
    monkeypatch.setattr(
        codes.LinearCode, "fit", lambda rows, *rest: seen.append(rows.shape) or fit(rows, *rest)
    )
    monkeypatch.setattr(codes, "FITTED_ELEMENTS", 1000)
    curves(net, ["probe"])
    assert seen
    assert all(0 < rows * elements <= 1000 for rows, elements in seen)


def test_fewer_rows_than_parts_of_the_images_are_spread_over_them(monkeypatch, net):
    """24 parts of two images: five of them give a row each, not the first five."""
    kept = []
    monkeypatch.setattr(codes._Kept, "add", lambda self, rows: kept.append((id(self), len(rows))))
    for name, value in {"FITTED_ROWS": 5, "JUDGED_TOGETHER": 2, "FEWEST_TOGETHER": 2}.items():
        monkeypatch.setattr(codes, name, value)
    traced, points, images = net
    parts = codes.Images([(images, torch.zeros(64))], images, 16, 64)
    blocks = [Blocks.at(point, 0.9) for point in points]
    spread, whole = codes._rows(stretches(traced, points), blocks, parts, overlap=False)
    keepers = [keeper for keeper, _ in kept if keeper in (id(spread[0]), id(whole[0]))]
    every = [k for k, keeper in enumerate(keepers) if keeper == id(spread[0])]
    assert [k - before for before, k in enumerate(every)] == [4, 9, 14, 19, 23]
    assert [count for keeper, count in kept if keeper == id(spread[0])] == [1] * 5


def test_too_many_codes_around_are_not_decoded_from(monkeypatch, net):
    from isplit.importance import linear_code

    monkeypatch.setattr(linear_code, "REGRESSORS_AT_MOST", 1)
    overlapping, plain = (curves(net, [kind])[kind] for kind in ("probe_overlap", "probe"))
    assert overlapping.values == pytest.approx(plain.values, rel=0.5)
    assert all(math.isfinite(value) for value in overlapping.values)


@pytest.mark.parametrize("side", [2, 4, 8, 16, 14])
def test_codes_are_fitted_on_every_column(side):
    """Else what hangs on position in the image is judged by a part of it."""
    block = Blocks.at(a_point((1, 2 * side, 2 * side)), 0.75)
    columns = torch.arange(2 * side).float().expand(384, 1, 2 * side, 2 * side)

    class Given(list):
        like = columns

        def __len__(self):
            return len(columns)

    (spread,), _ = codes._rows(
        [nn.Identity(), nn.Identity()], [block], Given(columns.split(64)), False
    )
    assert {*spread.filled.floor().flatten().tolist()} == {*range(2 * side)}


def test_a_value_that_is_no_number_is_said(net):
    traced, _, images = net

    class Off(nn.Module):
        def forward(self, x):
            return x + torch.tensor([0.0, 0.0, -math.inf])

    off = trace(nn.Sequential(traced, Off()), images[:2])
    with pytest.raises(ValueError, match=r"probe at .* is not finite"):
        curves((off, split_points(off, "layer"), images), ["probe"])


@pytest.mark.parametrize("count", [1, 2, 16, 17, 241, 257, 273])
def test_no_image_is_looked_at_alone(count, monkeypatch):
    monkeypatch.setattr(codes, "PIXELS_TOGETHER", 0)  # as of images that are large
    images = torch.arange(2 * count)[:, None, None]
    parts = [*codes.Images([(images, images)], torch.empty(0), 0, count)]
    assert torch.equal(torch.cat(parts), images[:count].float())
    assert count == 1 or min(map(len, parts)) > 1


@pytest.mark.parametrize("count", [4, 5])
def test_of_few_images_two_are_judged(count, net):
    """One alone has no statistics that a BatchNorm on a vector could take."""
    traced, _, images = net
    tail = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3)).double()
    normed = trace(nn.Sequential(traced, tail), images[:2])
    found = curves((normed, split_points(normed), images[:count]), PARTS, size=count)
    assert all(math.isfinite(value) for curve in found.values() for value in curve.values)
    with pytest.raises(ValueError, match=r"split\.images: 3 images are too few"):
        curves((normed, split_points(normed), images[:3]), ["probe"], size=3)


def test_features_that_are_always_the_same_lose_nothing(net):
    _, _, images = net
    dead = nn.Sequential(*(nn.Conv2d(3, 600, 8), nn.ReLU(), nn.Flatten(), nn.Linear(600, 3)))
    nn.init.constant_(dead[0].bias, -100.0)
    dead = trace(dead.double(), images[:2])
    found = curves((dead, split_points(dead), images), PARTS)
    assert [found[kind].values for kind in PARTS] == [(0.0,)] * len(PARTS)


def test_features_that_are_not_finite_are_said(net):
    traced, points, images = net
    images = images.clone()
    images[40, 0, 0, 0] = math.nan
    with pytest.raises(ValueError, match=r"the features at .* are not finite: look for NaN"):
        curves((traced, points, images), ["probe"])


@pytest.mark.parametrize("kind", PARTS)
def test_volumes_have_a_code_for_every_position(kind):
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv3d(1, 6, 3), nn.BatchNorm3d(6), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(6, 4, 2)),
        *(nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3)),
    ).double()
    images = torch.randn(24, 1, 6, 8, 10, dtype=torch.float64)
    traced = trace(net, images[:2])
    (curve,) = curves((traced, split_points(traced), images), [kind]).values()
    assert [len(point.shape) for point in curve.points] == [4, 4, 4]
    assert all(value < 0 for value in curve.values)
