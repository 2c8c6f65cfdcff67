import logging

import pytest
from pictures import class_folders, png, write_folder

from isplit.data import DATA_SETS, build_data

FILES = {**class_folders("train/", "abc", 8), **class_folders("test/", "abc", 4)}


@pytest.fixture
def build(keys, tmp_path):
    """A folder data set of three classes, after these changes to files and keys."""

    def build(files=None, **changes):
        root = write_folder(tmp_path / "set", {**FILES, **(files or {})})
        return build_data("folder", **{**keys, "root": root, **changes})

    return build


def test_an_unknown_data_set_names_the_choices(keys):
    with pytest.raises(ValueError, match=rf"data='mnist' is none of {', '.join(DATA_SETS)}"):
        build_data("mnist", **keys)


@pytest.mark.parametrize("name", ["notmnist", "tiny_imagenet", "chest_xray", "folder"])
def test_a_set_that_is_not_there_says_what_was_tried_and_what_to_do(keys, tmp_path, name):
    with pytest.raises(FileNotFoundError) as caught:
        build_data(name, **{**keys, "root": tmp_path / "nowhere"})
    assert f"data.root={tmp_path / 'nowhere'}" in str(caught.value)
    assert {"folder": "one folder per class", "chest_xray": "kaggle.com"}.get(
        name, "data.download=true"
    ) in str(caught.value)


def test_a_home_folder_is_found(keys, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_folder(tmp_path / "set", FILES)
    assert build_data("folder", **{**keys, "root": "~/set"}).size("test") == 12


def test_no_seed_is_always_the_same(build):
    assert build(seed=None).fingerprint == build(seed=0).fingerprint != build(seed=1).fingerprint


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("image_size", 4, r"data\.image_size=4 is no whole number from 8 to 4096"),
        *(("seed", s, r"data\.seed=.* is no whole number from 0 up") for s in (-1, 1.5, "a", True)),
        ("max_corrupt", -1, r"data\.max_corrupt=-1 is no whole number from 0 up"),
        ("memory_gb", -1.0, r"data\.memory_gb=-1\.0 is no number from 0 up"),
        ("augment", "mixup", r"data\.augment=mixup is none of none, crop, crop_flip"),
        ("mean", [0.5, 0.5], r"data\.mean=\[0\.5, 0\.5\] is none of number, 3 numbers"),
        ("std", 0.0, r"data\.std=0\.0 is none of number above 0, 3 numbers above 0"),
        ("fit", "squeeze", r"data\.fit=squeeze is none of stretch, crop, pad"),
        (
            "validation_fraction",
            1.0,
            r"data\.validation_fraction=1\.0 is no number above 0 below 1",
        ),
        ("classes", ["a", "d"], r"data\.classes: 'd' is none of the 3 classes: a, b, c"),
        ("images_per_class", 0, r"data\.images_per_class=0 is none of null"),
        ("images_per_class", 1, r"no train image of class a, b, c; .* raise data\.images_per_c"),
    ],
)
def test_a_wrong_key_is_named_with_its_value(build, key, value, text):
    with pytest.raises(ValueError, match=text):
        build(**{key: value})


BAD = {"train/a/1.png": b"no image", "test/c/x.jpg": png(3, kind="JPEG")[:200]}


def test_corrupt_files_stop_and_are_all_listed(build):
    with pytest.raises(ValueError, match=r"2 files are no images .*data\.max_corrupt=1") as caught:
        build(BAD, max_corrupt=1)
    assert all(f"\n  {name}: " in str(caught.value) for name in BAD)
    assert "data.max_corrupt=2 leaves them out" in str(caught.value)


@pytest.mark.parametrize("memory_gb", [1.0, 0.0])
def test_corrupt_files_are_left_out_and_reported_up_to_the_limit(build, caplog, memory_gb):
    with caplog.at_level(logging.WARNING):
        data = build(BAD, max_corrupt=2, memory_gb=memory_gb)
    assert [line.split(":")[0] for line in data.skipped] == sorted(BAD)
    assert data.size("train") + data.size("validation") == 23
    assert data.size("test") == 12
    assert sum(len(y) for s in ("train", "validation", "test") for _, y in data.loader(s, 5)) == 35
    assert all(f"left out: {name}" in caplog.text for name in BAD)


def test_a_class_of_corrupt_files_alone_is_empty(build):
    bad = {f"test/b/{n}.png": b"" for n in range(4)}
    with pytest.raises(ValueError, match="no test image of class b;"):
        build(bad, max_corrupt=9)


def test_an_image_that_is_not_chosen_is_not_read(build):
    data = build({"train/c/0.png": b"no image"}, classes=["a", "b"])
    assert data.skipped == ()
    assert data.class_names == ("a", "b")


def test_the_fingerprint_knows_the_content_but_not_the_path(build, keys, tmp_path):
    base = build().fingerprint
    root = write_folder(tmp_path / "copy", FILES)
    assert build_data("folder", **{**keys, "root": root}).fingerprint == base
    assert build({"train/a/0.png": png(99)}).fingerprint != base
    assert build(fit="pad").fingerprint != base
