"""Weights files as training scripts leave them: whatever their names, containers and wrappers."""

import json
import pickle
import random
import zipfile

import pytest
import torch
from bounds import bounded
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from isplit.backbones import adopt, build_backbone


def net(classes=4, seed=0):
    torch.manual_seed(seed)
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))


def taken(path, classes=4, **keys):
    return adopt(net(classes, seed=9), classes, image_size=8, weights=path, **keys)


def same(one, other):
    return all(torch.equal(v, other[k]) for k, v in one.items())


STATE = net().state_dict()


@pytest.mark.parametrize("name", ["a.pth.tar", "a.th", "pytorch_model.bin", "a.PTH", "a", "a.pkl"])
@pytest.mark.parametrize("safe", [False, True])
def test_what_was_loaded_decides_not_the_name(tmp_path, name, safe):
    path = tmp_path / name
    save_file(STATE, path) if safe else torch.save({"state_dict": STATE}, path)
    assert same(taken(path).state_dict(), STATE)


@pytest.mark.parametrize(
    "content",
    [
        {"net": STATE, "acc": 93.0, "epoch": 200},
        {"weight": STATE},
        {"checkpoint": {"model": {"params": STATE}}, "optimizer": {"state": {0: torch.ones(3)}}},
        {"0.module.0.weight" if k == "0.0.weight" else k: v for k, v in STATE.items()},
        {f"module._orig_mod.{k}": v for k, v in STATE.items()},
        {"model": STATE, "ema": STATE},
        {"model": STATE, "ema": {k: v.clone() for k, v in STATE.items()}},
    ],
)
def test_the_net_is_found_in_any_container(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    assert same(taken(tmp_path / "a.pth").state_dict(), STATE)


@pytest.mark.parametrize("flat", [False, True])
def test_of_two_nets_one_is_asked_for_and_taken(tmp_path, flat):
    path, ema = tmp_path / "two.ckpt", net(seed=3).state_dict()
    if flat:
        content = {f"student.{k}": v for k, v in STATE.items()}
        content |= {f"teacher.{k}": v for k, v in ema.items()}
    else:
        content = {"student": STATE, "teacher": ema}
    torch.save(content, path)
    with pytest.raises(
        ValueError, match=r"holds 2 nets that fit: .*weights_key=student \| teacher"
    ):
        taken(path)
    assert same(taken(path, weights_key="teacher").state_dict(), ema)
    with pytest.raises(
        ValueError, match=r"model\.weights_key='pupil' is no net .*: student \| teacher"
    ):
        taken(path, weights_key="pupil")


class Named(nn.Module):
    """Its first layer is called as GoogLeNet calls an auxiliary classifier."""

    def __init__(self):
        super().__init__()
        self.aux1, self.fc = nn.Conv2d(3, 4, 1), nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.aux1(x).mean((2, 3)))


def test_a_layer_called_like_an_auxiliary_classifier_has_its_weights(tmp_path):
    net = Named()
    torch.save(net.state_dict(), tmp_path / "net.pth")
    taken = adopt(Named(), 2, image_size=16, weights=tmp_path / "net.pth")
    assert torch.equal(taken.aux1.weight, net.aux1.weight)


def test_a_message_lists_what_the_file_holds(tmp_path):
    torch.save({"epoch": 3, "args": "sgd"}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"no named tensors, but epoch \(int\), args \(str\)"):
        taken(tmp_path / "a.pth")
    torch.save([1, 2], tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"holds no named tensors, but a list"):
        taken(tmp_path / "a.pth")


@pytest.mark.parametrize("change", ["int8", "sparse", "complex", "meta"])
def test_tensors_that_are_no_plain_numbers_are_refused(tmp_path, change):
    weight = STATE["3.weight"]
    other = {
        "int8": weight.to(torch.int8),
        "sparse": weight.to_sparse(),
        "complex": weight.to(torch.complex64),
        "meta": weight.to("meta"),
    }[change]
    torch.save(STATE | {"3.weight": other}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a\.pth'"):
        taken(tmp_path / "a.pth")


def test_a_3x3_stem_with_and_without_pooling(tmp_path, caplog):
    torch.manual_seed(0)
    mine = build_backbone("resnet18", 4, image_size=32, stem="cifar").eval()
    assert isinstance(mine.maxpool, nn.Identity)
    torch.save(mine.state_dict(), tmp_path / "r.pth")
    with caplog.at_level("INFO", logger="isplit"):
        pooled = build_backbone("resnet18", 4, image_size=32, weights=tmp_path / "r.pth")
    assert "without: model.stem=cifar" in caplog.text
    keys = {"image_size": 32, "weights": tmp_path / "r.pth"}
    unpooled = build_backbone("resnet18", 4, stem="cifar", **keys)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(unpooled.eval()(images), mine(images))
        assert not torch.equal(pooled.eval()(images), mine(images))


class Evil:
    def __reduce__(self):
        return open, ("canary", "w")


def _bad_files(folder):
    """Forty files that are no weights of the net, each with a reason of its own kind."""
    torch.save({"state_dict": STATE}, folder / "whole")
    whole = (folder / "whole").read_bytes()
    save_file(STATE, folder / "safe")
    safe, dice = (folder / "safe").read_bytes(), random.Random(0)
    for number in range(10):
        yield whole[: dice.randrange(1, len(whole) - 200)]
        yield safe[: dice.randrange(1, len(safe) - 1)]
        start = dice.randrange(0, 200)
        yield whole[:start] + dice.randbytes(600 + number) + whole[start + 600 :]
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    yield len(header).to_bytes(8, "little") + header.encode()
    yield (2**62).to_bytes(8, "little") + b"{}"
    yield pickle.dumps(Evil())
    yield pickle.dumps({"state_dict": Evil()}, protocol=4)
    yield b""
    yield b"<html>404</html>"
    yield b"\x80\x02" + b"(" * 5000 + b"."
    for content in (
        {"x" + ".a" * 20_000: torch.zeros(1)},
        {"3.weight": torch.zeros(1).expand(2**40)},
        {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": STATE}}}}}}}}},
    ):
        torch.save(content, folder / "odd")
        yield (folder / "odd").read_bytes()


def test_forty_bad_files_run_nothing_and_say_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, tried = tmp_path / "bad.pth", 0
    for content in _bad_files(tmp_path):
        tried += 1
        path.write_bytes(content)
        with bounded(), pytest.raises(ValueError, match=r"bad\.pth'"):
            taken(path)
        assert not (tmp_path / "canary").exists()
    assert tried == 40


def test_a_compressed_archive_is_not_unpacked(tmp_path):
    torch.save({"a": torch.zeros(2**20)}, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "small.pth", "w", zipfile.ZIP_DEFLATED) as small,
    ):
        for name in plain.namelist():
            small.writestr(name, plain.read(name))
    with pytest.raises(ValueError, match=r"small\.pth' cannot be read safely: it is compressed"):
        taken(tmp_path / "small.pth")


class Answers(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.net, self.how = net(), how

    def forward(self, x):
        return self.how(self.net(x))


class Decides(Answers):
    def forward(self, x):
        return self.net(x * 2) if x.mean() > 0.5 else self.net(x)


class Extra(Answers):
    def get_extra_state(self):
        return {"version": 3}

    def set_extra_state(self, state):
        pass


def grey(channels):
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 4))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: Answers(lambda y: {"out": y}), r"gives a dictionary of out, .*net\(x\)\['out'\]"),
        (lambda: Answers(lambda y: (y, y)), r"gives a tuple, not logits: wrap .*net\(x\)\[0\]"),
        (lambda: Answers(lambda y: [{"boxes": y}]), r"gives a list, not logits"),
        (lambda: grey(1), r"takes images with 1 channels, isplit gives RGB"),
        (lambda: grey(4), r"takes images with 4 channels"),
        (lambda: grey(7), r"does not run on data\.image_size=8: .*to have 7 channels"),
        (lambda: net().half(), r"0\.0\.weight is torch\.float16: .*call \.float\(\)"),
        (lambda: net().double(), r"is torch\.float64: .*call \.float\(\)"),
        (lambda: nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten()), r"lazy layer .*call the net"),
        (lambda: Decides(None), r"decides by the values of the image"),
        (lambda: nn.DataParallel(net()), r"it is a DataParallel: give the \.module in it"),
        (lambda: Answers(F.relu).to("meta"), r"is on the meta device, without values"),
        (lambda: Extra(F.relu), r"_extra_state is state that is no tensor"),
        (lambda: torch.jit.script(net()), r"is TorchScript"),
    ],
)
def test_nets_that_cannot_be_split_are_refused_in_words(given, message):
    with pytest.raises(ValueError, match=message):
        adopt(given(), 4, image_size=8)


def test_a_compiled_net_is_unwrapped():
    assert isinstance(adopt(torch.compile(net()), 4, image_size=8), nn.Sequential)
