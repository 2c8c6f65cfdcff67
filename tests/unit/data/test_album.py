import io

import numpy as np
import pytest
import torch
from pictures import encoded, png, write_folder
from PIL import Image

from isplit.data.album import decoded_images
from isplit.data.decode import How, decode
from isplit.data.files import open_files


@pytest.fixture
def images(tmp_path):
    """Opens the files, written first if they are given, with 16-pixel images."""

    def build(files: dict[str, bytes] | None = None, **changes):
        source = open_files(write_folder(tmp_path / "files", files or {}))
        settings = {"memory_bytes": 1e9, "cache_dir": tmp_path / "cache"}
        return decoded_images(source, source.names, How(16), **{**settings, **changes})

    return build


FILES = {f"{n}.png": png(40 * n) for n in range(5)}


def test_images_on_demand_are_those_in_memory(images):
    held, read = images(FILES), images(FILES, memory_bytes=5 * 3 * 16 * 16 - 1)
    assert held.in_memory
    assert not read.in_memory
    assert torch.equal(
        held.pixels(["3.png", "0.png", "3.png"]), read.pixels(["3.png", "0.png", "3.png"])
    )
    assert held.digests == read.digests


@pytest.mark.parametrize("memory_bytes", [1e9, 0])
def test_a_second_opening_decodes_nothing(images, monkeypatch, memory_bytes):
    first = images(FILES, memory_bytes=memory_bytes)
    monkeypatch.setattr("isplit.data.survey.decode_and_see", None)  # calling it would fail
    second = images(memory_bytes=memory_bytes)
    assert torch.equal(first.stored, second.stored)
    assert first.digests == second.digests
    assert second.broken == {}


def test_a_changed_file_is_read_again(images):
    before = images(FILES)
    after = images({**FILES, "2.png": png(7, size=(9, 9))})
    assert not torch.equal(before.pixels(["2.png"]), after.pixels(["2.png"]))
    assert before.digests["2.png"] != after.digests["2.png"]
    assert before.digests["1.png"] == after.digests["1.png"]


@pytest.mark.parametrize("memory_bytes", [1e9, 0])
def test_every_broken_file_is_named_with_its_reason(images, memory_bytes):
    jpeg = png(50, size=(64, 64), kind="JPEG")
    bad = {"a.png": b"", "b.png": b"text", "c.jpg": jpeg[: len(jpeg) // 2], "d.png": png(5)[:60]}
    for files in ({**FILES, **bad}, None):
        opened = images(files, memory_bytes=memory_bytes)
        assert set(opened.broken) == set(bad)
        assert all("Error" in reason for reason in opened.broken.values())


def test_a_file_that_could_not_be_read_once_is_tried_again(images, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("isplit.data.survey.decode_and_see", None)
        assert len(images(FILES).broken) == 5
    assert images().broken == {}


def test_a_missing_file_is_broken(images, tmp_path):
    source = open_files(write_folder(tmp_path / "files", FILES))
    names = (*source.names, "gone.png")
    opened = decoded_images(source, names, How(16), memory_bytes=1e9, cache_dir=tmp_path / "c")
    assert list(opened.broken) == ["gone.png"]
    assert "FileNotFoundError" in opened.broken["gone.png"]


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_an_image_of_the_right_size_keeps_every_pixel(fit):
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    decoded = decode(encoded(image), 16, fit)
    assert decoded.dtype == torch.uint8
    np.testing.assert_array_equal(decoded.permute(1, 2, 0), image)


def test_the_fits_differ_as_they_say():
    wide = np.zeros((20, 40, 3), np.uint8)
    wide[:, :10], wide[:, 30:] = (255, 0, 0), (0, 0, 255)  # red left, blue right, black between
    middle_row = {fit: decode(encoded(wide), 20, fit)[:, 10] for fit in ("stretch", "crop", "pad")}
    assert middle_row["stretch"][0, 0] == middle_row["pad"][0, 0] == 255
    assert middle_row["crop"].sum() == 0
    assert decode(encoded(wide), 20, "pad")[:, :5].sum() == 0


def grey(dtype: type, top: int) -> np.ndarray:
    return (np.arange(16)[:, None] * np.ones(16) * top / 15).astype(dtype)


def test_grey_becomes_three_equal_channels_of_any_depth():
    eight, sixteen = (
        decode(encoded(grey(np.uint8, 255)), 16),
        decode(encoded(grey(np.uint16, 65535)), 16),
    )
    assert (eight[0] == eight[1]).all()
    assert (eight[0] == eight[2]).all()
    assert (eight.int() - sixteen.int()).abs().max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_colour_mode_is_read(mode):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "white").convert(mode).save(file, "TIFF" if mode == "CMYK" else "PNG")
    assert (decode(file.getvalue(), 8) == 255).all()


def test_a_large_jpeg_is_the_same_picture_as_without_the_shortcut():
    blocks = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    file = encoded(blocks.repeat(12, 0).repeat(12, 1), "JPEG")
    whole = Image.open(io.BytesIO(file)).resize((32, 32), Image.Resampling.BILINEAR)
    apart = decode(file, 32).permute(1, 2, 0).numpy().astype(int) - np.asarray(whole)
    assert abs(apart).mean() < 3  # decoding at half the scale would be 9 apart
