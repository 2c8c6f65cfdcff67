"""A net cut at any point, in numpy: its two sides, what is relevant, its images and others."""

import cases
import numpy as np
import pytest
import torch
from PIL import Image

from isplit.data import build_data
from isplit.data.images import Preparation
from isplit.graph import split_at, split_points, trace
from isplit.stages.cut_net import FRAMES, CutNet

PREPARATION = Preparation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def cut(name, data=None, granularity="layer"):
    net = cases.make(name).eval()
    traced = trace(net, cases.images(name))
    return net, CutNet(traced, split_points(traced, granularity), data, 3, torch.device("cpu"))


@pytest.mark.parametrize("name", ["residual", "permuted", "tokens", "vectors"])
def test_both_sides_are_the_net_and_channels_come_first(name):
    net, known = cut(name, granularity="all")
    images = cases.images(name, 7)
    with torch.no_grad():
        whole = net(images).numpy()
    for point in known.points:
        head, tail = known.sides(point)
        features = head(images.numpy())
        assert features.shape[:2] == (7, point.shape[point.channel_axis])
        np.testing.assert_allclose(tail(features), whole, rtol=1e-5, atol=1e-6)


def test_relevance_is_grad_cam_of_the_answer_one_point_at_a_time():
    _, known = cut("residual")
    images = cases.images("residual", 5)
    for point, found in zip(known.points, known.relevance(images.numpy()), strict=True):
        before, after = split_at(known.traced, point)
        features = before(images).detach().requires_grad_()
        after(features).amax(1).sum().backward()
        weights = features.grad.flatten(2).mean(2, keepdim=True)
        expected = torch.relu((weights * features.flatten(2)).sum(1)).detach()
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-6)


def test_pixels_come_back_from_what_the_net_takes():
    every = torch.arange(256, dtype=torch.uint8).repeat(3).view(1, 3, 16, 16)
    assert torch.equal(PREPARATION.pixels(PREPARATION.normalised(every)), every)


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    keys = {"classes": ["A", "B"], "images_per_class": 20, "validation_fraction": 0.2}
    keys |= {"augment": "none", "mean": 0.5, "std": 0.25, "max_corrupt": 0, "download": False}
    keys |= {"num_workers": 0, "cache_dir": tmp_path_factory.mktemp("cache"), "seed": 0}
    keys |= {"difficulty": 0.2, "train_images": 40, "test_images": 40}
    return build_data("letters", root=None, image_size=16, **keys)


def test_images_are_balanced_at_any_beginning(letters):
    _, known = cut("residual", letters)
    images, labels = known.images("test", None)
    assert len(images) == letters.size("test")
    assert sorted(labels[:6].tolist()) == [0] * 3 + [1] * 3
    fewer, _ = known.images("test", 5)
    np.testing.assert_array_equal(fewer, images[:5])
    assert known.pixels(images).dtype == np.uint8


def test_an_image_moves_by_a_pixel_a_frame(letters):
    _, known = cut("residual", letters)
    images, _ = known.images("test", 2)
    sequences = known.sequences(None, images)
    assert [s.shape for s in sequences] == [(FRAMES, *images.shape[1:])] * 2
    np.testing.assert_array_equal(sequences[1][0], images[1])
    np.testing.assert_array_equal(sequences[1][5][:, 5:, 5:], images[1][:, :-5, :-5])


def test_frames_are_the_images_of_a_folder_by_name_prepared_like_those_of_the_set(
    letters, tmp_path
):
    _, known = cut("residual", letters)
    pixels = known.pixels(known.images("test", 3)[0])
    for number, image in zip((10, 2, 30), pixels, strict=True):
        file = tmp_path / f"{number:03}.png"
        Image.fromarray(image.transpose(1, 2, 0)).save(file)
    (tmp_path / "notes.txt").write_text("no image")
    (frames,) = known.sequences(str(tmp_path), np.empty(0))
    np.testing.assert_array_equal(known.pixels(frames), pixels[[1, 0, 2]])


def test_a_folder_with_no_sequence_is_refused(letters, tmp_path):
    _, known = cut("residual", letters)
    Image.new("RGB", (4, 4)).save(tmp_path / "one.png")
    with pytest.raises(ValueError, match=r"study\.frames=.* has 1 images, two are a sequence"):
        known.sequences(str(tmp_path), np.empty(0))
    (tmp_path / "two.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"two\.png"):
        known.sequences(str(tmp_path), np.empty(0))
    with pytest.raises(ValueError, match=r"study\.frames=.*nowhere has 0 images"):
        known.sequences(str(tmp_path / "nowhere"), np.empty(0))
