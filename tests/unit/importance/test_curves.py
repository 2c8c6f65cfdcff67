import copy
import itertools
import math

import nets
import pytest
import reference
import torch
from torch import nn

from isplit.graph import split_points, trace
from isplit.importance import curves
from isplit.importance.curve import CuiSettings, Curve
from isplit.importance.curves import FromArchitecture, importance_curves
from isplit.point import SplitPoint

REDUCTIONS = [
    {"target": target, "channels": channels, "spatial": spatial, "accumulate": accumulate}
    for target, channels, spatial, accumulate in itertools.product(
        ("label", "prediction"), ("mean", "sum"), ("mean", "sum"), ("none", "deeper")
    )
]


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda r: "-".join(r.values()))
@pytest.mark.parametrize("kind", ["cui", "gradient"])
def test_curve_equals_one_backward_per_layer_and_image(case, kind, reduction):
    traced, points, images, labels = case
    curve = _curve(case, kind, CuiSettings(**reduction))
    values = reference.cui_values(traced, points, images, labels, kind=kind, **reduction)
    expected = reference.class_first_mean(values, labels)
    assert expected.max() > 0
    torch.testing.assert_close(_tensor(curve.values), expected, rtol=1e-10, atol=0)


def test_class_curves_are_the_means_of_their_images(case):
    traced, points, images, labels = case
    curve = _curve(case)
    values = reference.cui_values(traced, points, images, labels)
    for index, name in enumerate(nets.CLASSES):
        expected = values[:, labels == index].mean(1)
        torch.testing.assert_close(_tensor(curve.per_class[name]), expected, rtol=1e-10, atol=0)
    assert curve.num_images == len(images)


def test_images_one_by_one_or_all_at_once_give_the_same(case):
    traced, points, images, labels = case
    singly = [(images[i : i + 1], labels[i : i + 1]) for i in range(len(images))]
    one = importance_curves(traced, points, iter(singly), nets.CLASSES)["cui"]
    torch.testing.assert_close(
        _tensor(one.values), _tensor(_curve(case).values), rtol=1e-12, atol=0
    )


def test_train_mode_gives_the_same_curve_and_is_put_back(case):
    expected = _curve(case)
    traced = case[0].train()
    traced.get_parameter(next(name for name, _ in traced.named_parameters())).requires_grad_(False)
    before = _state(traced)
    assert _curve(case) == expected
    assert _state(traced) == before
    assert all(p.grad is None for p in traced.parameters())


def test_gradients_are_on_whatever_the_caller_switched_off(chain):
    expected = _curve(chain)
    with torch.no_grad():
        assert _curve(chain) == expected
    with torch.inference_mode():
        assert _curve(chain) == expected


def test_means_are_taken_before_any_logarithm(chain):
    # the second image is black: without bias its maps are zero, whose logarithm is -infinity
    traced, points, images, _ = chain
    for module in traced.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.bias)
    batch = torch.stack([images[0], torch.zeros_like(images[0])]), torch.tensor([0, 0])
    alone = importance_curves(traced, points, [(batch[0][:1], batch[1][:1])], nets.CLASSES)["cui"]
    both = importance_curves(traced, points, [batch], nets.CLASSES)["cui"]
    assert _tensor(both.values) * 2 == pytest.approx(_tensor(alone.values))
    assert max(both.values) > 0


def test_pre_activation_takes_the_convolutions_output(chain):
    traced, everywhere, images, labels = chain
    settings = CuiSettings(tap="pre_activation")
    points = split_points(traced, "layer")
    curve = importance_curves(traced, points, [(images, labels)], nets.CLASSES, ["cui"], settings)
    before = {"1": "0", "3": "2", "6": "5"}  # a ReLU's convolution in the chain; pools stay
    wanted = [before.get(point.name, point.name) for point in points]
    conv = [point for name in wanted for point in everywhere if point.name == name]
    values = reference.cui_values(traced, conv, images, labels)
    expected = reference.class_first_mean(values, labels)
    assert wanted != [point.name for point in points]
    torch.testing.assert_close(_tensor(curve["cui"].values), expected, rtol=1e-10, atol=0)


def test_channels_last_maps_are_reduced_over_their_channels():
    net = nn.Sequential(
        _ToLast(), nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 4), _Pool(), nn.Linear(4, 3)
    )
    images, labels = nets.images_and_labels("chain")
    traced = trace(net.double(), images[:2])
    point = SplitPoint(0, "1", (9, 9, 5), "_1", 0, 0, 0, channels_last=True)
    curve = importance_curves(traced, [point], [(images, labels)], nets.CLASSES)["cui"]
    values = reference.cui_values(traced, [point], images, labels)
    expected = reference.class_first_mean(values, labels)
    torch.testing.assert_close(_tensor(curve.values), expected, rtol=1e-10, atol=0)


def test_bfloat16_is_close_and_leaves_the_model_alone():
    images, labels = nets.images_and_labels("residual")
    traced = trace(nets.make("residual").float(), images[:2].float())
    points = split_points(traced)
    before = copy.deepcopy(traced.state_dict())
    batches = [(images.float(), labels)]
    settings = CuiSettings(precision="bf16", spatial="sum")
    half = importance_curves(traced, points, batches, nets.CLASSES, ["cui"], settings)["cui"]
    full = importance_curves(
        traced, points, batches, nets.CLASSES, ["cui"], CuiSettings(spatial="sum")
    )["cui"]
    assert half != full
    torch.testing.assert_close(_tensor(half.values), _tensor(full.values), rtol=0.1, atol=0)
    assert all(torch.equal(value, before[key]) for key, value in traced.state_dict().items())


def test_cui_agrees_with_the_grad_cam_package_on_raw_maps(chain):
    # its public call scales each map to 0..1, so the numbers come from its hooks
    from pytorch_grad_cam.activations_and_gradients import ActivationsAndGradients

    _, points, images, labels = chain
    net = nets.make("chain").eval()
    pool = net[4]
    taps = ActivationsAndGradients(net, [pool], reshape_transform=None)
    logits = taps(images)
    logits.gather(1, labels[:, None]).sum().backward()
    features, gradients = taps.activations[0].detach(), taps.gradients[0]
    taps.release()
    weights = gradients.mean((2, 3), keepdim=True)
    per_image = (weights * features).mean(1).clamp(min=0).mean((1, 2))
    expected = reference.class_first_mean(per_image[None], labels)
    (position,) = [p for p, point in enumerate(points) if point.name == "4"]
    assert _curve(chain).values[position] == pytest.approx(expected.item(), rel=1e-6)


def test_curves_from_the_architecture_need_no_images(chain):
    traced, _, _, _ = chain
    points = split_points(traced)
    made = importance_curves(traced, points, _no_images(), nets.CLASSES, ["cde", "size", "depth"])
    sizes = [point.numel for point in points]
    assert made["size"].values == tuple(-math.log(size) for size in sizes)
    assert made["cde"].values == made["size"].values
    assert made["depth"].values == tuple(float(i) for i in range(len(points)))
    smaller = [p for p in range(1, len(points)) if sizes[p] < sizes[p - 1]]
    assert made["cde"].peaks() == smaller != []
    assert made["cde"].num_images == 0


def test_a_predictor_is_one_function_and_one_line(chain, monkeypatch):
    def shuffled(points):
        return Curve("mine", tuple(points), tuple(float(p.numel % 7) for p in points))

    monkeypatch.setitem(curves.PREDICTORS, "mine", FromArchitecture(shuffled))
    traced, points, images, labels = chain
    made = importance_curves(traced, points, [(images, labels)], nets.CLASSES, ["mine", "cui"])
    assert list(made) == ["mine", "cui"]
    assert made["mine"].values == shuffled(points).values


def test_the_images_are_walked_through_once(chain):
    traced, points, images, labels = chain
    stream = ((images[i : i + 3], labels[i : i + 3]) for i in range(0, len(images), 3))
    made = importance_curves(traced, points, stream, nets.CLASSES)
    assert made["gradient"].num_images == made["cui"].num_images == len(images)


def test_classes_without_images_are_left_out_and_named(chain, caplog):
    traced, points, images, labels = chain
    names = [*nets.CLASSES, "dog"]
    curve = importance_curves(traced, points, [(images, labels)], names)["cui"]
    assert curve.values == _curve(chain).values
    assert "dog" not in curve.per_class
    assert "1 classes without images left out of the curves: dog" in caplog.text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused_by_name(chain, value):
    traced, points, images, labels = chain
    images[2] = value
    with pytest.raises(ValueError, match=r"cui at \S+ is not finite for 1 of 7 images"):
        importance_curves(traced, points, [(images, labels)], nets.CLASSES)


def test_unknown_kind_names_the_choices(chain):
    with pytest.raises(ValueError, match=r"split.kind='cam' is not one of cui, gradient, .*probe"):
        _curve(chain, "cam")


@pytest.mark.parametrize(("key", "value"), [("target", "both"), ("precision", "16")])
def test_unknown_setting_names_the_choices(key, value):
    with pytest.raises(ValueError, match=rf"split.cui.{key}='{value}' is not one of \w+, \w+"):
        CuiSettings(**{key: value})


def test_precision_may_be_typed_as_a_number():
    assert CuiSettings(precision=32) == CuiSettings()


def test_no_images_is_an_error(chain):
    traced, points, _, _ = chain
    with pytest.raises(ValueError, match="no images to rank the split points with"):
        importance_curves(traced, points, [], nets.CLASSES)


def test_a_label_without_a_class_is_an_error(chain):
    traced, points, images, labels = chain
    with pytest.raises(ValueError, match=r"outside 0\.\.1: the labels run from 0 to 2"):
        importance_curves(traced, points, [(images, labels)], nets.CLASSES[:2])


def test_a_label_without_a_logit_is_an_error(chain):
    traced, points, images, labels = chain
    names = [*nets.CLASSES, "dog"]
    with pytest.raises(ValueError, match="label 3 has no logit, the model gives 3"):
        importance_curves(traced, points, [(images, labels + 1)], names)


def test_features_that_no_gradient_reaches_are_named():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), _Detach(), nn.Conv2d(4, 4, 3), nn.ReLU(), _Mean()
    )
    images, labels = nets.images_and_labels("chain")
    traced = trace(net.double(), images[:2])
    points = split_points(traced, "all")
    with pytest.raises(ValueError, match="no gradient reaches the features at 0"):
        importance_curves(traced, points, [(images, labels)], [*nets.CLASSES, "dog"])


class _Detach(nn.Module):
    def forward(self, x):
        return x.detach()


class _Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


class _ToLast(nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1)


class _Pool(nn.Module):
    def forward(self, x):
        return x.mean((1, 2))


def _curve(case, kind="cui", settings=None):
    traced, points, images, labels = case
    batches = [(images, labels)]
    return importance_curves(traced, points, batches, nets.CLASSES, [kind], settings)[kind]


def _tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def _state(model):
    modes = [module.training for module in model.modules()]
    return modes, [p.requires_grad for p in model.parameters()], _buffers(model)


def _buffers(model):
    return [buffer.tolist() for buffer in model.buffers()]


def _no_images():
    raise AssertionError("images were asked for")
    yield
