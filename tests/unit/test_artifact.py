"""The stored split model: built again in its layout, tied tensors too, and bad manifests."""

import dataclasses
import json

import pytest
import torch
from bounds import bounded
from torch import nn
from torchvision import models
from torchvision.models._api import WeightsEnum

from isplit.artifact import Manifest, load_split_model, save_split_model
from isplit.backbones import build_backbone, stored_layout
from isplit.bottleneck import make_bottleneck
from isplit.graph import split_at, split_points, trace
from isplit.model import SplitModel


def keys(name, **settings):
    defaults = {"weights": None, "weights_key": None, "head": None, "width": 1.0}
    defaults |= {"batch_norm": True, "stem": "auto", "dropout": None, "arch": None}
    return {"name": name, "num_classes": 3, "image_size": 32, **defaults, **settings}


def saved(folder, net, model, channels=None):
    """A split of ``net`` in the middle, and its files in ``folder``."""
    size = model["image_size"]
    graph = trace(net.eval(), torch.zeros(1, 3, size, size))
    points = split_points(graph, channels=channels)
    point = points[len(points) // 2]
    head, tail = split_at(graph, point)
    split = SplitModel(head, make_bottleneck(point, 0.9), tail).eval()
    about = Manifest(model, point.name, "layer", 0.9, ("a", "b", "c"), size, (0.5,), (0.2,))
    save_split_model(split, dataclasses.replace(about, channels=channels), folder)
    return split


def equal_answers(one, other, size=32):
    images = torch.randn(2, 3, size, size)
    with torch.no_grad():
        return torch.equal(one(images), other(images))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("resnet18", {}),
        ("resnet18", {"stem": "cifar"}),
        ("resnet18", {"stem": "imagenet", "image_size": 64}),
        ("vgg16", {"width": 1 / 16}),
        ("mobilenet_v3_small", {}),
    ],
)
def test_a_split_of_a_backbone_is_loaded_from_str_or_path(tmp_path, name, settings):
    model = keys(name, **settings)
    net = build_backbone(**model)
    split = saved(tmp_path, net, stored_layout(model, net.state_dict()))
    size = model["image_size"]
    assert equal_answers(load_split_model(str(tmp_path)), split, size)
    assert all(p.requires_grad for p in load_split_model(tmp_path).parameters())


def test_published_layouts_on_small_images_are_loaded_without_a_network(tmp_path, monkeypatch):
    published = models.resnet18().state_dict()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *args, **others: published)
    model = keys("resnet18", weights="DEFAULT")
    net = build_backbone(**model)
    split = saved(tmp_path, net, stored_layout(model, net.state_dict()))
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *args, **others: 1 / 0)
    assert equal_answers(load_split_model(tmp_path), split)
    old = json.loads((tmp_path / "split_model.json").read_text())
    old["model"] |= {"stem": "auto", "weights": "DEFAULT"}  # as earlier versions left it
    del old["channels"], old["model"]["head"], old["model"]["weights_key"]
    (tmp_path / "split_model.json").write_text(json.dumps(old))
    assert equal_answers(load_split_model(tmp_path), split)


def test_own_weights_in_the_published_layout_of_vgg(tmp_path):
    model = keys("vgg16", width=1 / 16)
    torch.save(build_backbone(**model | {"image_size": 224}).state_dict(), tmp_path / "own.pth")
    net = build_backbone(**model | {"weights": tmp_path / "own.pth"})
    split = saved(tmp_path, net, stored_layout(model, net.state_dict()))
    assert equal_answers(load_split_model(tmp_path), split)


class Tied(nn.Module):
    """One block at two places, on both sides of a split between them."""

    def __init__(self):
        super().__init__()
        self.a, self.b1 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.b2, self.fc = self.b1, nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(self.b2(self.b1(self.a(x).relu()).relu()).relu().mean((2, 3)))


def test_tied_tensors_are_stored(tmp_path):
    split = saved(tmp_path, Tied(), {"net": {"_target_": "Tied"}, "image_size": 16})
    with pytest.raises(ValueError, match=r"a model of your own: give it as net="):
        load_split_model(tmp_path)
    assert equal_answers(load_split_model(tmp_path, Tied()), split, 16)


def test_the_net_that_is_given_stays_as_it_is(tmp_path):
    split = saved(tmp_path, Tied(), {"net": {"_target_": "Tied"}, "image_size": 16})
    given = Tied()
    before = {name: tensor.clone() for name, tensor in given.state_dict().items()}
    assert equal_answers(load_split_model(tmp_path, given), split, 16)
    assert all(torch.equal(given.state_dict()[name], kept) for name, kept in before.items())


def _bad_manifests(good):
    """Twenty manifests that are none, or ask for what is not there or for too much."""
    model = good["model"]
    yield from ("", "[]", "null", "{" * 10_000, "[" * 100_000, '{"schema": 1}', "\0\xff")
    yield from (
        json.dumps(good | change)
        for change in (
            {"schema": 2},
            {"extra": 1},
            {"layer": "layer9.9"},
            {"layer": 3},
            {"granularity": "block"},
            {"compression_rate": 2.0},
            {"compression_rate": 1e-12, "image_size": 10**9},
            {"image_size": "large"},
            {"model": model | {"width": 1e12}},
            {"model": model | {"num_classes": 10**15}},
            {"model": model | {"_target_": "os.system"}},
            {"model": model | {"name": "torchvision", "arch": "vgg99"}},
            {"model": {"name": "resnet18"}},
        )
    )


def test_twenty_bad_manifests_are_refused(tmp_path):
    model = keys("vgg16", width=1 / 16)
    net = build_backbone(**model)
    saved(tmp_path, net, stored_layout(model, net.state_dict()))
    path, tried = tmp_path / "split_model.json", 0
    for text in list(_bad_manifests(json.loads(path.read_text()))):
        tried += 1
        path.write_text(text, encoding="latin-1")
        refused = pytest.raises(ValueError, match=r"split_model|no split model that can be built")
        with bounded(), refused:
            load_split_model(tmp_path)
    assert tried == 20


def test_a_manifest_is_a_small_regular_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"split_model\.json: is this the folder of a fin"):
        load_split_model(tmp_path)
    with (tmp_path / "split_model.json").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(ValueError, match=r"split_model\.json is too large for a manifest"):
        load_split_model(tmp_path)
