"""Backbones for small images, with the user's own weights, and what is refused."""

import inspect
import logging
from itertools import chain
from pathlib import Path
from urllib.error import URLError

import cases
import pytest
import torch
from hydra import compose, initialize_config_dir
from safetensors.torch import save_file
from torch import nn
from torchvision import models
from torchvision.models._api import WeightsEnum

from isplit.backbones import adopt, build_backbone
from isplit.backbones.layout import BACKBONES
from isplit.graph import split_points, trace, with_aliases

CONF = Path(__file__).parents[2] / "conf"


def small_vgg(num_classes=4, **settings):
    torch.manual_seed(0)
    return build_backbone("vgg16", num_classes, **{"image_size": 32, "width": 1 / 16} | settings)


def points_of(model, pixels):
    return split_points(trace(model, torch.zeros(1, 3, pixels, pixels)))


@pytest.mark.parametrize(
    ("name", "pixels", "settings", "points"),
    [
        ("vgg16", 32, {"width": 0.125}, 18),
        ("vgg16", 64, {"width": 0.125, "batch_norm": False}, 18),
        ("resnet18", 32, {}, 10),
        ("resnet50", 64, {}, 18),
        ("mobilenet_v3_small", 32, {}, 13),
        ("torchvision", 32, {"arch": "regnet_x_400mf"}, 23),
        ("torchvision", 64, {"arch": "googlenet"}, 16),
    ],
)
def test_a_backbone_answers_and_can_be_split(name, pixels, settings, points):
    model = build_backbone(name, 5, image_size=pixels, **settings)
    assert model.training
    assert model(torch.randn(2, 3, pixels, pixels)).shape == (2, 5)
    assert len(points_of(model, pixels)) == points


def test_a_transformer_is_built_for_the_image_size():
    with torch.device("meta"):
        model = build_backbone("torchvision", 2, image_size=64, arch="vit_b_32")
    points = split_points(trace(model, torch.zeros(1, 3, 64, 64, device="meta")))
    assert [p.shape for p in points] == [(5, 768)] * 13


def test_vgg_points_are_the_papers():
    points = with_aliases("vgg16", points_of(small_vgg(), 32))
    convs = {1: 2, 2: 2, 3: 3, 4: 3, 5: 3}
    blocks = [
        [f"block{b}_conv{c + 1}" for c in range(convs[b])] + [f"block{b}_pool"] for b in convs
    ]
    assert [p.label for p in points] == list(chain.from_iterable(blocks))
    plain = with_aliases("vgg16", points_of(small_vgg(batch_norm=False), 32))
    assert plain[9].aliases == ("block3_pool",)
    assert plain[9].name == "features.16"


def test_other_models_have_no_friendlier_names():
    points = points_of(build_backbone("resnet18", 2, image_size=32), 32)
    assert with_aliases("resnet18", points) == points


def test_vgg_at_imagenet_size_has_the_published_layout():
    model = small_vgg(image_size=224)
    with torch.device("meta"):
        published = models.vgg16_bn().state_dict()
    ours = model.state_dict()
    assert list(ours) == list(published)
    assert ours["classifier.0.weight"].shape == (256, 32 * 49)
    assert model.avgpool.output_size == 7


def test_small_vgg_has_a_small_classifier():
    model = small_vgg(dropout=0.25)
    assert [tuple(p.shape) for p in model.classifier.parameters()] == [
        (32, 32),
        (32,),
        (4, 32),
        (4,),
    ]
    assert model.classifier[2].p == 0.25
    assert model.avgpool.output_size == 1


@pytest.mark.parametrize(
    ("stem", "pixels", "stride"),
    [("auto", 32, 1), ("auto", 64, 2), ("imagenet", 32, 2), ("small", 64, 1)],
)
def test_stem_of_a_resnet(stem, pixels, stride):
    model = build_backbone("resnet18", 2, image_size=pixels, stem=stem)
    assert model.conv1.stride == (stride, stride)
    assert points_of(model, pixels)[1].name == "maxpool"


@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".safetensors"])
def test_own_weights_are_read(tmp_path, suffix):
    model, path = small_vgg(), tmp_path / f"mine{suffix}"
    state = model.state_dict()
    match suffix:
        case ".pth":
            torch.save(state, path)
        case ".safetensors":
            save_file({f"net.{k}": v for k, v in state.items()}, path)
        case ".ckpt":
            tensors = {f"model._orig_mod.{k}": v for k, v in state.items()}
            extra = {"criterion.weight": torch.ones(4)}
            torch.save({"epoch": 3, "state_dict": tensors | extra}, path)
    loaded = build_backbone("vgg16", 4, image_size=32, width=1 / 16, weights=path).state_dict()
    assert all(torch.equal(loaded[k], state[k]) for k in state)


def test_weights_for_other_classes_get_a_new_last_layer(tmp_path, caplog):
    path = tmp_path / "four.pth"
    model = small_vgg(4)
    torch.save(model.state_dict(), path)
    with caplog.at_level(logging.INFO, logger="isplit"):
        other = small_vgg(7, weights=path)
    assert f"{path} has 4 classes, the data 7: new last layer classifier.3" in caplog.text
    assert other.classifier[-1].out_features == 7
    assert torch.equal(other.classifier[0].weight, model.classifier[0].weight)


def test_weights_decide_the_layout(tmp_path):
    vgg, resnet = tmp_path / "vgg.pth", tmp_path / "resnet.pth"
    torch.save(small_vgg(image_size=224).state_dict(), vgg)
    assert len(small_vgg(image_size=64, weights=vgg).classifier) == 7
    torch.save(build_backbone("resnet18", 2, image_size=32).state_dict(), resnet)
    loaded = build_backbone("resnet18", 2, image_size=64, weights=str(resnet))
    assert loaded.conv1.kernel_size == (3, 3)


@pytest.mark.parametrize("num_classes", [3, 1000])
def test_published_weights(monkeypatch, num_classes):
    published = models.mobilenet_v3_small().state_dict()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *args, **keys: published)
    model = build_backbone("mobilenet_v3_small", num_classes, image_size=64, weights="DEFAULT")
    ours = model.state_dict()
    same = [k for k in ours if ours[k].shape == published[k].shape]
    assert all(torch.equal(ours[k], published[k]) for k in same)
    assert len(ours) - len(same) == (0 if num_classes == 1000 else 2)
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, num_classes)


@pytest.mark.parametrize("num_classes", [3, 1000])
def test_published_weights_of_a_convolutional_classifier(monkeypatch, num_classes):
    published = models.squeezenet1_1().state_dict()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *args, **keys: published)
    settings = {"image_size": 64, "weights": "IMAGENET1K_V1", "arch": "squeezenet1_1"}
    model = build_backbone("torchvision", num_classes, **settings)
    assert model.classifier[1].weight.shape == (num_classes, 512, 1, 1)
    kept = torch.equal(model.classifier[1].weight[:3], published["classifier.1.weight"][:3])
    assert kept == (num_classes == 1000)


def test_a_head_that_is_no_layer_is_refused(monkeypatch):
    published = models.mobilenet_v3_small().state_dict()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *args, **keys: published)
    settings = {"image_size": 64, "weights": "DEFAULT", "head": "classifier"}
    with pytest.raises(ValueError, match=r"model\.head='classifier' is a Sequential, no linear"):
        build_backbone("mobilenet_v3_small", 3, **settings)


def test_published_weights_without_a_network(monkeypatch):
    def unreachable(*args, **keys):
        raise URLError("no network")

    monkeypatch.setattr(WeightsEnum, "get_state_dict", unreachable)
    with pytest.raises(ValueError, match=r"model.weights=IMAGENET1K_V1 cannot .*: no network"):
        build_backbone("resnet18", 3, image_size=64, weights="DEFAULT")


def test_weights_of_another_architecture(tmp_path):
    path = tmp_path / "other.pth"
    torch.save(small_vgg(batch_norm=False).state_dict(), path)
    with pytest.raises(
        ValueError, match=r"model.weights='.*other.pth' is not of this VGG: 62 tensors missing"
    ):
        small_vgg(weights=path)
    torch.save(small_vgg(width=1 / 8).state_dict(), path)
    with pytest.raises(
        ValueError, match=r"81 tensors of another shape \(features.0.weight, .* and"
    ):
        small_vgg(weights=path)
    torch.save(small_vgg().state_dict(), path)
    with pytest.raises(ValueError, match=r"not of this ResNet: \d+ tensors missing \(conv1.weight"):
        build_backbone("resnet18", 4, image_size=32, weights=path)


def test_weights_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model.weights='.*none.pth' is not there"):
        small_vgg(weights=tmp_path / "none.pth")
    evil = tmp_path / "evil.ckpt"
    torch.save({"state_dict": {}, "hyper_parameters": Path("x")}, evil)
    with pytest.raises(
        ValueError, match=r"evil.ckpt' cannot be read safely: besides tensors it holds a pathlib"
    ):
        small_vgg(weights=evil)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not weights")
    with pytest.raises(ValueError, match=r"broken.safetensors' cannot be read safely"):
        small_vgg(weights=broken)
    empty = tmp_path / "empty.pt"
    torch.save({"epoch": 3}, empty)
    with pytest.raises(ValueError, match=r"empty.pt' holds no named tensors"):
        small_vgg(weights=empty)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("stem", ["imagenet", "small"])
def test_a_narrow_resnet_has_a_part_of_every_layers_channels(name, stem, tmp_path):
    settings = {"image_size": 32, "stem": stem}
    torch.manual_seed(0)
    narrow = build_backbone(name, 7, width=0.25, **settings)
    whole = build_backbone(name, 7, **settings)
    shapes = {key: tensor.shape for key, tensor in narrow.state_dict().items()}
    for key, tensor in whole.state_dict().items():
        kept = {3, 7}  # colours and classes
        expected = [n if n in kept else n // 4 for n in tensor.shape[:2]]
        assert list(shapes[key][:2]) == expected, key
    torch.save(narrow.state_dict(), tmp_path / "narrow.pt")
    again = build_backbone(name, 7, width=0.25, weights=tmp_path / "narrow.pt", **settings)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(again.eval()(images), narrow.eval()(images))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("vgg61", {}, r"model.name='vgg61' is none of: vgg16, .* model=torchvision"),
        (
            "torchvision",
            {"arch": "vgg"},
            r"model.arch='vgg' is none of torchvision's: vgg\d+.*alexnet, ",
        ),
        ("torchvision", {}, r"model.arch=None is none of torchvision's"),
        ("vgg16", {"width": 0.5, "weights": "DEFAULT"}, r"model.width=0.5: torchvision's vgg16_bn"),
        ("mobilenet_v3_small", {"width": 0.5}, r"width=0.5 is for VGG and ResNet, mobilenet_v3_sm"),
        (
            "torchvision",
            {"width": 0.5, "arch": "resnext50_32x4d"},
            r"resnext50_32x4d has only width 1",
        ),
        ("vgg16", {"stem": "small"}, r"model.stem=small is for ResNets; vgg16_bn has its own"),
        ("resnet18", {"stem": "small", "weights": "DEFAULT"}, r"model.stem=small: torchvision's"),
        (
            "resnet18",
            {"weights": "BEST"},
            r"model.weights='BEST' is neither a file .*IMAGENET1K_V1",
        ),
        ("resnet18", {"dropout": 0.5}, r"model.dropout=0.5: resnet18 has no dropout; leave it out"),
        ("vgg16", {"width": 0.1, "image_size": 16}, r"vgg16_bn does not run on data.image_size=16"),
        ("torchvision", {"arch": "vit_b_16", "image_size": 40}, r"vit_b_16 does not run on .*=40"),
    ],
)
def test_refusals(name, settings, message, capfd):
    with pytest.raises(ValueError, match=message):
        build_backbone(name, 2, **{"image_size": 32} | settings)
    assert not capfd.readouterr().err, "torch logs tracebacks of its own"


@pytest.mark.parametrize("name", BACKBONES)
def test_conf_has_every_key_and_no_other(name):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        keys = compose("model/" + name)["model"]
    from_data = {"num_classes", "image_size"}
    assert set(keys) == set(inspect.signature(build_backbone).parameters) - from_data
    assert keys["name"] == name
    defaults = inspect.signature(build_backbone).parameters
    changed = [k for k in keys if k != "name" and keys[k] != defaults[k].default]
    assert changed == []


def test_untrained_backbones_start_alike_by_seed():
    torch.manual_seed(3)
    one = build_backbone("resnet18", 2, image_size=32)
    torch.manual_seed(3)
    two = build_backbone("resnet18", 2, image_size=32)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert isinstance(one.conv1, nn.Conv2d)


def test_a_net_of_the_users_own_is_taken_with_its_weights(tmp_path):
    theirs = cases.Residual()
    torch.save(
        {"state_dict": {f"model.{k}": v for k, v in theirs.state_dict().items()}},
        tmp_path / "own.ckpt",
    )
    net = adopt(cases.Residual(), cases.CLASSES, image_size=16, weights=tmp_path / "own.ckpt")
    assert all(torch.equal(v, theirs.state_dict()[k]) for k, v in net.state_dict().items())


@pytest.mark.parametrize(
    ("net", "message"),
    [
        ("not a module", r"model\.net=str: it is no torch\.nn\.Module"),
        (torch.nn.Conv2d(3, 10, 3), r"model\.net gives \(1, 10, 14, 14\) .* 10 classes"),
        (torch.nn.Linear(7, 10), r"does not run on data\.image_size=16"),
    ],
)
def test_what_is_no_classifier_for_the_data_is_refused(net, message):
    with pytest.raises(ValueError, match=message):
        adopt(net, 10, image_size=16)


def test_googlenets_weights_want_pixels_of_their_own(monkeypatch, tmp_path):
    """By name or as a file: without the layers for training, with images as they say."""
    torch.manual_seed(0)
    whole = models.googlenet(transform_input=True, init_weights=False).eval()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: whole.state_dict())
    torch.save(whole.state_dict(), tmp_path / "google.pth")
    pixels = torch.rand(2, 3, 96, 96)
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    with torch.no_grad():
        wanted = whole((pixels - mean) / std)
    for weights in ("DEFAULT", tmp_path / "google.pth"):
        of = {"arch": "googlenet", "image_size": 96, "weights": weights}
        net = build_backbone("torchvision", 1000, **of).eval()
        assert (net.aux1, net.aux2, net.transform_input) == (None, None, False)
        assert net.pretrained_cfg == {"mean": (0.5,) * 3, "std": (0.5,) * 3}
        with torch.no_grad():
            torch.testing.assert_close(net((pixels - 0.5) / 0.5), wanted, rtol=1e-3, atol=1e-3)
