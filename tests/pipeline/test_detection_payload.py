"""The example of detectors: run as a user would, on drawn images and on a COCO set of one's own."""

import csv
import importlib
import json
import runpy
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pipeline.jobs import ROOT
from torch import nn
from torchvision.models import detection

from isplit.codec import from_config
from isplit.graph import split_at, split_points, trace

pytest.importorskip("pycocotools")

EXAMPLES = ROOT / "examples"
SIZE = 64
TINY = f"--images 24 --test-fraction 0.4 --size {SIZE} --epochs 1 --calibration 4 --bits 3 8"
POINT = "--points backbone.features.0.4"


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("detection_payload")


@pytest.fixture
def run(monkeypatch, capsys):
    monkeypatch.syspath_prepend(EXAMPLES)

    def run(*words):
        given = [word for text in words for word in str(text).split()]
        monkeypatch.setattr(sys, "argv", ["detection_payload.py", *given])
        runpy.run_path(str(EXAMPLES / "detection_payload.py"), run_name="__main__")
        return capsys.readouterr().out

    return run


def read(folder):
    rows = list(csv.DictReader((folder / "detection.csv").open()))
    return rows, json.loads((folder / "detection.json").read_text())


def test_a_run_leaves_its_files_and_goes_on_where_it_was(run, tmp_path):
    said = run(TINY, POINT, "--out", tmp_path)
    folder = tmp_path / "ssdlite320_mobilenet_v3_large"
    rows, found = read(folder)
    assert [(row["ranges"], row["bits"]) for row in rows] == [
        ("image", "3"),
        ("image", "8"),
        ("channel", "3"),
        ("channel", "8"),
    ]
    elements = 40 * 8 * 8
    for row in rows:
        packed = elements * int(row["bits"]) / 8
        assert packed < float(row["quantize_bytes"]) <= packed + 32
        assert float(row["ans_bytes"]) <= float(row["quantize_bytes"])
        assert (row["ans_channels_bytes"] == "") == (row["ranges"] == "image")
        assert 0 <= float(row["map"]) <= float(row["map50"]) <= 1
    assert (found["unequal"], found["images"]) == (0, 10)
    assert f"equal all {found['boxes']} of the unsplit net bit for bit at every point" in said
    assert said.rstrip().splitlines()[-1] == (
        f"The unsplit net has mAP50 {found['map50']:.3f} alone, too little to say what bits cost: "
        "train it longer (--epochs)."
    )
    assert {"detection.png", "detection.svg", "report.html"} <= {f.name for f in folder.iterdir()}
    again = run(TINY, POINT, "--out", tmp_path)
    assert "epoch 1 of 1" in said
    assert "epoch 1" not in again
    assert read(folder) == (rows, found)
    with pytest.raises(
        SystemExit, match=r"weights\.pt was trained with epochs=1: ask for the same"
    ):
        run(TINY, POINT, "--epochs 2 --out", tmp_path)
    with pytest.raises(SystemExit, match=r"--points layer9: none of backbone\.features\.0\.0, "):
        run(TINY, "--points layer9 --out", tmp_path)
    with pytest.raises(SystemExit, match="20 images are too few to train, calibrate and test"):
        run(TINY, "--images 20 --calibration 13 --out", tmp_path / "few")


def test_a_coco_set_with_a_crowd_an_empty_image_and_a_category_0(run, example, tmp_path):
    images, annotations = example.draw_set(tmp_path / "own", 24, 50, 1)
    content = json.loads(annotations.read_text())
    for entry in content["categories"]:
        entry["id"] -= 1
    for entry in content["annotations"]:
        entry["category_id"] -= 1
        entry["iscrowd"] = int(entry["id"] == 3)
    content["annotations"] = [e for e in content["annotations"] if e["image_id"] != 2]
    annotations.write_text(json.dumps(content))
    words = [TINY, "--ranges image --coco", images, annotations, "--out", tmp_path / "out"]
    said = run(*words, "--model fasterrcnn_mobilenet_v3_large_320_fpn --points backbone.body.13")
    assert "bit for bit" in said
    content["annotations"][0]["bbox"] = [40, 40, 60, 60]
    annotations.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"annotations\.json: annotation 0: bbox="):
        run(*words)


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("ssdlite320_mobilenet_v3_large", "backbone.features.0.13"),
        ("fasterrcnn_mobilenet_v3_large_320_fpn", "backbone.body.13"),
    ],
)
def test_the_server_finds_in_features_what_the_net_finds_in_images(example, name, last):
    torch.manual_seed(0)
    few = {"score_thresh": 0.0, "box_score_thresh": 0.0, "detections_per_img": 9}
    net = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=3, **few)
    net.transform.fixed_size = (SIZE, SIZE)
    images = list(torch.rand(example.BATCH + 3, 3, SIZE, SIZE))
    detector = example.SplitDetector(net, SIZE)
    assert [p.label for p in detector.points][-1] == last
    expected = detector.unsplit(images)
    assert all(len(boxes["boxes"]) for boxes in expected)
    whole = net.backbone
    for point in (detector.points[0], detector.points[-1]):
        features = detector.features(point, images)
        assert features.shape == (len(images), *point.shape)
        found = detector.found(point, features, images)
        assert all(map(example._same, found, expected))
        other = detector.found(point, features[::-1].copy(), images)
        assert all(map(example._same, other, expected[::-1]))  # of the images come sizes alone
        assert net.backbone is whole


def test_training_that_was_stopped_ends_as_if_it_was_not(example, tmp_path):
    class Stops(list):
        left = 25

        def __getitem__(self, key):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
            return super().__getitem__(key)

    places = example.draw_set(tmp_path / "set", 16, SIZE, 0)
    part = example._part(example.read_coco(*places)[1], SIZE, 0)
    options = SimpleNamespace(model=example.SSD, seed=0, size=SIZE, epochs=2, coco=None)
    options.images = options.test_fraction = 0
    whole = example.trained(options, tmp_path / "whole", 5, part)
    with pytest.raises(KeyboardInterrupt):
        example.trained(options, tmp_path / "cut", 5, example.Part(part.pixels, Stops(part.truth)))
    resumed = example.trained(options, tmp_path / "cut", 5, part)
    states = whole.state_dict(), resumed.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def boxes(*rows, labels=None):
    labels = torch.tensor(labels or [1] * len(rows))
    found = {"boxes": torch.tensor(rows, dtype=torch.float32).reshape(-1, 4), "labels": labels}
    return found | {"scores": torch.ones(len(rows)), "iscrowd": torch.zeros(len(rows)).long()}


def test_precision_and_the_error_of_its_change(example):
    truth = [boxes([0, 0, 50, 50]) for _ in range(example.GROUPS)]
    wide = [boxes([0, 0, 50, 81]) for _ in truth]  # 0.617 of the union: 3 of 10 thresholds
    assert example.mean_precision(truth, truth) == pytest.approx((1, 1))
    assert example.mean_precision(wide, truth) == pytest.approx((1, 0.3))
    assert np.isnan(example.mean_precision([boxes()], [boxes()])).all()
    scores = example.Scores(truth, truth)
    same = scores.of(truth)
    assert (same["change"], same["error"], same["change50"], same["error50"]) == (0, 0, 0, 0)
    one_lost = [boxes(), *truth[1:]]
    assert scores.of(one_lost)["error"] == pytest.approx(
        1 / 8
    )  # std of (-1, 0, ..., 0) is sqrt 1/8


@pytest.mark.parametrize(
    ("changes", "bits"),
    [
        ({2: -0.5, 3: -0.02, 4: -0.009, 8: 0.0}, 4),
        ({2: -0.5, 3: -0.005, 4: -0.02, 8: 0.01}, 8),  # three bits were lucky
        ({2: -0.001, 8: 0.0}, 2),
        ({2: 0.0, 8: -0.01}, None),
    ],
)
def test_enough_bits_hold_for_all_that_are_more(example, changes, bits):
    rows = [{"point": "a", "bits": b, "change": change} for b, change in changes.items()]
    best = example.enough_bits([*rows, {"point": "b", "bits": 1, "change": 0}], "a")
    assert (best and best["bits"]) == bits


def test_the_answer_names_bits_and_bytes_where_the_net_finds_enough(example):
    row = {"point": "a", "ranges": "image", "map50": 0.8, "map": 0.5, "error": 0.0, "error50": 0.0}
    row |= {"rle_bytes": 1200.0, "smallest": "rle", "of_float32": 0.1, "of_jpeg": 0.5}
    row["change50"] = 0.0
    rows = [row | {"bits": bits, "change": lost} for bits, lost in ((2, -0.1), (4, 0.0), (8, 0.0))]
    about = {"map50": 0.8, "map": 0.5, "unequal": 0, "boxes": 30}
    options = SimpleNamespace(model=example.SSD, ranges=["image"])
    found = example._findings(options, rows, about)
    assert found.answer == (
        "Less than one point of mAP50-95 is lost with ranges of each image at "
        "a: 4 bits (1,200 bytes by rle, 0.100 of float32, 0.50 of a JPEG)."
    )
    assert "equal all 30 of the unsplit net bit for bit" in found.verdict
    other = example._findings(options, rows, about | {"unequal": 3})
    assert "differ from those of the unsplit net in 3 images" in other.verdict


class Cross(nn.Module):
    """Two branches that are put together, as in YOLO's CSP blocks."""

    def __init__(self, channels):
        super().__init__()
        self.left = nn.Sequential(nn.Conv2d(channels, 8, 1), nn.BatchNorm2d(8), nn.SiLU(True))
        self.right = nn.Conv2d(channels, 8, 1)
        self.inner = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        left = self.left(x)
        return nn.functional.leaky_relu(torch.cat([left + self.inner(left), self.right(x)], 1), 0.1)


class YoloLike(nn.Module):
    """Three maps of a backbone and a neck that goes up and puts them together again."""

    def __init__(self):
        super().__init__()
        sizes = [3, 16, 16, 16, 16]
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.SiLU(True))
            for a in sizes[:-1]
        )
        self.cross = nn.ModuleList(Cross(16) for _ in self.down)
        self.neck = Cross(32)

    def forward(self, x):
        maps = []
        for down, cross in zip(self.down, self.cross, strict=True):
            x = cross(down(x))
            maps.append(x)
        low, middle, high = maps[1:]
        up = nn.functional.interpolate(high, scale_factor=2.0)
        return {"small": low, "middle": self.neck(torch.cat([up, middle], 1)), "large": high}


def test_a_yolo_like_net_is_cut_as_far_as_one_tensor_crosses(example):
    torch.manual_seed(0)
    images = torch.rand(3, 3, 64, 64)
    flat = example.FlatMaps(YoloLike().eval(), images[:2])
    traced = trace(flat, images[:2])
    points = split_points(traced)
    names = [f"backbone.{part}.{number}" for number in (0, 1) for part in ("down", "cross")]
    assert [point.label for point in points] == names  # cross.1 is the first map of the neck
    with torch.no_grad():
        maps = flat.backbone(images)
        for point in points:
            head, tail = split_at(traced, point)
            codec = from_config({"name": "ans", "bits": 8})
            features = head(images)
            found = flat.maps(tail(features))
            assert all(torch.equal(found[name], maps[name]) for name in maps)
            sent = torch.from_numpy(codec.decode(codec.encode(features)))
            near = flat.maps(tail(sent))
            assert all(torch.allclose(near[name], maps[name], atol=0.05) for name in maps)


def test_a_head_that_decides_by_values_or_sizes_is_refused(example):
    class Decides(YoloLike):
        def forward(self, x):
            maps = super().forward(x)
            return maps if self.decide(maps["large"]) else {}

    images = torch.rand(2, 3, 64, 64)
    for decide in (lambda m: m.max() > 0, lambda m: m.shape[-1] % 2 == 0):
        net = Decides().eval()
        net.decide = decide
        with pytest.raises(ValueError, match="FlatMaps cannot be traced: TraceError: symbolically"):
            trace(example.FlatMaps(net, images), images)


def test_the_drawn_set_is_the_same_for_a_seed_and_its_boxes_fit(example, tmp_path):
    sets = [example.draw_set(tmp_path / name, 6, 48, seed) for name, seed in (("a", 0), ("b", 0))]
    assert sets[0][1].read_bytes() == sets[1][1].read_bytes()
    other = example.draw_set(tmp_path / "c", 6, 48, 1)
    assert sets[0][1].read_bytes() != other[1].read_bytes()
    _, found = example.read_coco(*sets[0])
    assert sum(len(image.boxes) for image in found) >= 6
    for image in found:
        assert np.all(image.boxes[:, 2:] - image.boxes[:, :2] > 0.2 * 48 * 0.75)
