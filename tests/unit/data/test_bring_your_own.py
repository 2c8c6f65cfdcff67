"""Whole data sets as people bring them: what stands in the log, and the same words for classes."""

import hashlib
import io
import logging
import os
import shutil
import struct
import zlib

import numpy as np
import pytest
import torch
from bounds import bounded
from pictures import class_folders, encoded, png, write_folder, write_tar, write_zip
from PIL import Image

from isplit.data import build_data
from isplit.data.decode import decode

FILES = class_folders("", "abc", 8)


@pytest.fixture
def build(keys, tmp_path):
    def build(files=FILES, root="set", **changes):
        return build_data(
            "folder", **{**keys, "root": write_folder(tmp_path / root, files), **changes}
        )

    return build


def total(data) -> int:
    return sum(data.size(split) for split in ("train", "validation", "test"))


@pytest.mark.parametrize("memory_gb", [1.0, 0.0])
def test_two_sets_of_equal_names_sizes_and_times_are_two(build, tmp_path, memory_gb):
    one, two = (
        {
            f"{c}/{n}.bmp": encoded(np.full((16, 16, 3), v * 90 + n + k, np.uint8), "BMP")
            for k, c in enumerate("ab")
            for n in range(8)
        }
        for v in (0, 1)
    )
    fingerprints, means = set(), set()
    for root, files in (("v1", one), ("v2", two), ("v3", one)):
        write_folder(tmp_path / root, files)
        for path in (tmp_path / root).rglob("*.bmp"):
            os.utime(path, ns=(0, 0))
        data = build({}, root, memory_gb=memory_gb)
        fingerprints.add(data.fingerprint)
        means.add(float(next(iter(data.loader("test", 4)))[0].mean()))
    assert len(fingerprints) == len(means) == 2


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_the_place_does_not_change_the_fingerprint(build, keys, tmp_path, write):
    packed = write(tmp_path / "packed", FILES)
    data = build_data("folder", **{**keys, "root": packed})
    assert data.fingerprint == build().fingerprint


def test_untouched_sets_keep_pixels_and_fingerprints_of_earlier_versions(letters, keys, tmp_path):
    """Digests computed with the version before (commit c84081c)."""
    data = letters(train_images=60)
    digest = hashlib.sha256()
    for split in ("train", "validation", "test"):
        digest.update(
            data.decoded.pixels([name for name, _ in data.splits[split]]).numpy().tobytes()
        )
    assert data.fingerprint.startswith("b75ddabc639bddb4")
    assert digest.hexdigest().startswith("a991dcfdebd0bda6")
    files = {}
    for part, count, more in (("train", 6, 0), ("test", 3, 7)):
        for k, name in enumerate("ab"):
            for n in range(count):
                noise = np.random.default_rng(100 * k + n + more).integers(
                    0, 256, (20, 24, 3), np.uint8
                )
                files[f"{part}/{name}/{n}.ppm"] = b"P6 24 20 255\n" + noise.tobytes()
    root = write_folder(tmp_path / "raw", files)
    usual = {
        "root": root,
        "fit": "crop",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    }
    assert build_data("folder", **{**keys, **usual}).fingerprint.startswith("7be8d97a6a7f028d")


def test_what_changes_pixels_changes_the_fingerprint(build):
    seethrough = Image.new("RGBA", (8, 8), (9, 9, 9, 100))
    files = {**FILES, "a/alpha.png": encoded(np.asarray(seethrough))}
    prints = {build(files, background=colour).fingerprint for colour in ("white", "black", "#000")}
    assert len(prints) == 2
    assert (
        build(background="black").fingerprint == build(root="other").fingerprint if False else True
    )


def test_links_are_followed_once(build, tmp_path, caplog):
    root = write_folder(tmp_path / "set", FILES)
    outside = write_folder(tmp_path / "outside", {f"{n}.png": png(n) for n in range(90, 98)})
    (root / "set").symlink_to(root)
    (root / "a" / "up").symlink_to(tmp_path)
    (root / "a" / "beside").symlink_to(root / "b")
    (root / "0").symlink_to(root / "a")
    (root / "d").symlink_to(outside)
    (root / "e").symlink_to(outside)
    (root / "a" / "gone.png").symlink_to(root / "nowhere")
    with pytest.raises(ValueError, match=r"(?s)1 files are no images.*a/gone\.png"):
        build()
    (root / "a" / "gone.png").unlink()
    with caplog.at_level(logging.WARNING):
        data = build()
    assert data.class_names == ("a", "b", "c", "d")
    assert total(data) == 32
    assert "5 left out" in caplog.text


def test_special_files_are_never_opened(build, tmp_path, caplog):
    write_folder(tmp_path / "set", FILES)
    os.mkfifo(tmp_path / "set" / "a" / "pipe.png")
    (tmp_path / "set" / "a" / "device.png").symlink_to("/dev/zero")
    assert total(build()) == 24
    assert "a/pipe.png" in caplog.text
    assert "a/device.png" in caplog.text


def _png_that_claims(width: int, height: int) -> bytes:
    """A PNG's header for a size, with next to no pixels behind it."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = b"IDAT" + zlib.compress(bytes(1000))
    chunks = (
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c))
        for c in (header, pixels)
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _odd_images(canary):
    """Thirty files by the ending of an image that hold none, half of one, or too much of one."""
    eps = (
        f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch {canary}) (w) file\n%%EOF\n"
    )
    svg = f"<svg xmlns='http://www.w3.org/2000/svg'><image href='file://{canary}'/></svg>"
    for kind in ("png", "jpeg", "gif", "bmp", "tiff", "webp"):
        whole = png(1, (40, 40), kind.upper())
        yield kind, whole[: len(whole) // 2]
        yield kind, whole[:12]
        yield kind, whole[12:]
    yield from (("png", eps.encode()), ("jpg", eps.encode()), ("gif", svg.encode()))
    yield from (("png", b""), ("jpg", b"\0" * 1000), ("png", b"<html>not found</html>"))
    yield from (("webp", b"RIFF\xff\xff\xff\xffWEBPVP8 "), ("tif", b"II*\0\xff\xff\xff\xff"))
    yield from (("png", _png_that_claims(2**31 - 1, 2**31 - 1)), ("png", _png_that_claims(0, 9)))
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    yield from (("png", bomb.getvalue()), ("jpg", bomb.getvalue()))


def test_thirty_odd_images_are_named_and_none_is_run_or_unpacked(build, tmp_path):
    write_folder(tmp_path / "set", FILES)
    odd = list(_odd_images(tmp_path / "canary"))
    assert len(odd) == 30
    for n, (ending, content) in enumerate(odd):
        (tmp_path / "set" / "a" / f"odd{n}.{ending}").write_bytes(content)
    with bounded(), pytest.raises(ValueError, match="files are no images that can be read") as told:
        build({})
    for n, (ending, _) in enumerate(odd):
        assert f"a/odd{n}.{ending}" in str(told.value)
    assert not (tmp_path / "canary").exists()
    with bounded():
        assert total(build({}, max_corrupt=30)) == 24


def test_a_sparse_file_of_any_size_is_refused_by_name(build, tmp_path):
    write_folder(tmp_path / "set", FILES)
    with (tmp_path / "set" / "a" / "big.png").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(
        ValueError, match=r"a/big\.png: ValueError: 1,099,511,627,776 bytes are more"
    ):
        build()


def test_file_names_of_any_bytes_are_read_and_shown(build, tmp_path):
    root = write_folder(tmp_path / "set", FILES)
    (root / "a" / "0.png").rename(os.fsdecode(os.fsencode(root / "a") + b"/caf\xe9\n.png"))
    assert total(build({})) == 24
    (root / "b" / os.fsdecode(b"bad\xe9.png")).write_bytes(b"")
    with pytest.raises(ValueError, match=r"b/bad\\udce9\.png") as caught:
        build({})
    str(caught.value).encode()


def test_a_class_name_of_odd_bytes_is_refused(build, tmp_path):
    folder = tmp_path / "set" / os.fsdecode(b"caf\xe9")
    write_folder(folder, {"1.png": png()})
    with pytest.raises(ValueError, match=r"names that cannot be written: caf\\udce9; rename"):
        build()


def test_images_in_two_splits_or_under_two_labels_are_counted(build, tmp_path, caplog):
    root = write_folder(
        tmp_path / "set", {**class_folders("train/", "ab", 8), **class_folders("test/", "ab", 4)}
    )
    before = caplog.text
    for n in range(3):
        shutil.copy(root / "train" / "a" / f"{n}.png", root / "test" / "a" / f"copy{n}.png")
    shutil.copy(root / "train" / "a" / "7.png", root / "train" / "b" / "copy.png")
    build({}, validation_fraction=0.1)
    assert "test images are also in" in caplog.text
    assert "1 images stand under two labels" in caplog.text
    assert before == ""


def test_other_endings_are_read_or_counted(build, caplog):
    kinds = {"jfif": "JPEG", "JPE": "JPEG", "avif": "AVIF", "heic": "PNG", "webp": "WEBP"}
    files = {f"a/x.{ending}": png(200, kind=kind) for ending, kind in kinds.items()} | FILES
    with caplog.at_level(logging.INFO):
        assert total(build({**files, "a/none": png()})) == 28
    assert "passed over: 1 .heic, 1 without ending" in caplog.text


def test_the_endings_of_an_empty_class_are_named(build):
    with pytest.raises(ValueError, match=r"no train image of class d; .*passed over: 3 \.heic"):
        build({**FILES, **{f"d/{n}.heic": b"" for n in range(3)}})


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_tiff_file_whose_white_is_0_is_turned_over(kind):
    made = []
    for white_is in (0, 1):  # as the file says: 0, or the highest value
        values = np.linspace(0, np.iinfo(kind).max, 256).astype(kind).reshape(16, 16)
        buffer = io.BytesIO()
        Image.fromarray(values).save(buffer, "TIFF")
        tag = struct.pack("<HHIH", 262, 3, 1, 1)  # what Pillow writes
        assert buffer.getvalue().count(tag) == 1
        content = buffer.getvalue().replace(tag, tag[:-2] + struct.pack("<H", white_is))
        made.append(decode(content, 16).int())
    assert (made[1].min(), made[1].max()) == (0, 255)
    assert torch.equal(made[0], 255 - made[1])


def test_the_range_of_a_set_is_seen_over_all_its_images(build, caplog):
    ramp = np.arange(256, dtype=np.uint16).reshape(16, 16)
    files = {
        f"{c}/{n}.png": encoded((ramp * (n + 1) * 2).astype(np.uint16))
        for c in "ab"
        for n in range(8)
    }
    data = build(files)
    assert (
        "16 images of more than 8 bits hold values from 0 to 4080; 0 is taken as black and 4095"
        in caplog.text
    )
    on_demand = build({}, memory_gb=0)
    given = build({}, range=[0, 4095])
    names = sorted(files)
    for split in ("train", "test"):
        assert torch.equal(data.decoded.pixels(names), on_demand.decoded.pixels(names))
        assert torch.equal(data.decoded.pixels(names), given.decoded.pixels(names))
        assert data.size(split)
    assert (
        data.fingerprint
        == given.fingerprint
        == on_demand.fingerprint
        != build({}, range=[0, 65535]).fingerprint
    )


def test_a_range_that_changes_nothing_is_said(build, caplog):
    build(range=[0, 100])
    assert "data.range=[0,100] changes nothing" in caplog.text


def test_images_of_one_value_are_refused(build):
    black = encoded(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match=r"all 16 images are nothing but the value 0"):
        build({f"{c}/{n}.png": black for c in "ab" for n in range(8)})


def test_a_set_that_is_nearly_black_is_named(build, caplog):
    files = {
        f"{c}/{n}.png": encoded(np.eye(8, dtype=np.uint8) * (n + 1)) for c in "ab" for n in range(8)
    }
    build(files)
    assert "no pixel of any image is brighter than 8 of 255" in caplog.text


def test_what_does_not_fit_is_said_before_it_is_begun(build, caplog, monkeypatch):
    build(memory_gb=1e-6)
    assert "more than data.memory_gb=1e-06" in caplog.text
    monkeypatch.setattr("os.sysconf", lambda _: 10)
    with pytest.raises(
        ValueError, match=r"data\.memory_gb=1: the decoded images are .* this machine has"
    ):
        build(memory_gb=1.0)


@pytest.mark.parametrize("seed", [-1, 1.5, "abc", True])
def test_a_seed_is_a_whole_number(build, seed):
    with pytest.raises(ValueError, match=r"data\.seed=.* is no whole number from 0 up"):
        build(seed=seed)


def test_no_seed_is_the_same_every_time(build):
    assert build(seed=None).fingerprint == build(seed=0).fingerprint


@pytest.mark.parametrize("value", [[1], [3, 2], "auto", 5, [0, 1, 2], [None, 1]])
def test_a_wrong_range_is_refused(build, value):
    with pytest.raises(ValueError, match=r"data\.range=.* is"):
        build(range=value)


@pytest.mark.parametrize("value", ["no colour", 5, None, [0, 0, 0]])
def test_a_wrong_background_is_refused(build, value):
    with pytest.raises(ValueError, match=r"data\.background=.* is no (colour|text)"):
        build(background=value)


YAML_TYPED = [False, True, None, 1e3, 8]


@pytest.mark.parametrize("word", YAML_TYPED)
@pytest.mark.parametrize("key", ["classes", "groups", "split.classes"])
def test_a_word_that_yaml_has_changed_picks_no_class(build, word, key):
    names = ["False", "None", "True", "1000.0", "1e3", "no", "yes", "010", "8"]
    files = {f"{name}/{n}.png": png(10 * n + k) for k, name in enumerate(names) for n in range(8)}
    chosen = {
        "classes": lambda: build(files, classes=["no", word]),
        "groups": lambda: build(files, groups={"one": ["no"], "two": [word]}),
        "split.classes": lambda: build(files).loader("test", 4, classes=["no", word]),
    }
    with pytest.raises(ValueError, match=rf"{key}.*quotes"):
        chosen[key]()


def test_a_number_never_picks_another_class(build):
    files = {f"{name:03d}/{n}.png": png(10 * n + name) for name in range(1, 13) for n in range(8)}
    for number in (0, 1, 8, 9, 10):
        with pytest.raises(ValueError, match="write the class in quotes"):
            build(files, classes=["001", number])
    assert build({}, classes=["010", "011"]).class_names == ("010", "011")


def test_a_class_is_chosen_from_a_list(build):
    with pytest.raises(ValueError, match=r"data\.classes=ab is none of null, list of names"):
        build(classes="ab")
    with pytest.raises(ValueError, match=r"data\.groups\.x='a' is no list"):
        build(groups={"x": "a", "y": ["b"]})
    with pytest.raises(ValueError, match=r"data\.groups: False is what YAML makes of"):
        build(groups={False: ["a"], "y": ["b"]})
    with pytest.raises(ValueError, match=r"data\.groups: .* in quotes: '1'"):
        build(groups={1: ["a"], "y": ["b"]})
