from collections import Counter

import pytest
from pictures import class_folders, png, write_folder, write_tar, write_zip

from isplit.data import build_data
from isplit.data.folder import list_images

TRAIN = class_folders("train/", "xy", 10)
TEST = class_folders("test/", "xy", 4)


def counts(listing, split):
    return Counter(listing.class_names[label] for _, label in listing.splits[split])


def test_folders_for_train_and_test_leave_validation_to_be_carved(tmp_path):
    listing = list_images(write_folder(tmp_path, {**TRAIN, **TEST}), seed=0)
    assert listing.class_names == ("x", "y")
    assert set(listing.splits) == {"train", "test"}
    assert counts(listing, "train") == {"x": 10, "y": 10}
    assert counts(listing, "test") == {"x": 4, "y": 4}


@pytest.mark.parametrize("folder", ["val", "valid", "validation"])
def test_a_validation_folder_is_used(tmp_path, folder):
    files = {**TRAIN, **TEST, **class_folders(f"{folder}/", "xy", 3)}
    listing = list_images(write_folder(tmp_path, files), seed=0)
    assert counts(listing, "validation") == {"x": 3, "y": 3}
    assert counts(listing, "train") == {"x": 10, "y": 10}


def test_without_a_test_folder_a_part_of_train_is_drawn_by_the_seed(tmp_path):
    root = write_folder(tmp_path, {**TRAIN, **class_folders("val/", "xy", 3)})
    one, again, other = (list_images(root, seed=seed, test_fraction=0.3) for seed in (0, 0, 1))
    assert counts(one, "test") == {"x": 3, "y": 3}
    assert counts(one, "train") == {"x": 7, "y": 7}
    assert counts(one, "validation") == {"x": 3, "y": 3}
    assert one.splits == again.splits
    assert one.splits["test"] != other.splits["test"]
    assert set(one.splits["test"]).isdisjoint(one.splits["train"])


def test_class_folders_alone_are_divided(tmp_path):
    listing = list_images(write_folder(tmp_path, class_folders("", "xy", 10)), seed=0)
    assert counts(listing, "train") == {"x": 8, "y": 8}
    assert counts(listing, "test") == {"x": 2, "y": 2}


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_an_archive_reads_like_the_folder(tmp_path, write):
    folder = list_images(write_folder(tmp_path / "a", {**TRAIN, **TEST}), seed=0)
    packed = write(tmp_path / "b", {f"mine/{n}": c for n, c in {**TRAIN, **TEST}.items()})
    splits = list_images(packed, seed=0).splits
    assert {
        split: tuple(image._replace(name=image.name.removeprefix("mine/")) for image in images)
        for split, images in splits.items()
    } == folder.splits


def test_images_in_deeper_folders_belong_to_the_class_and_other_files_do_not(tmp_path):
    extra = {"train/x/day1/1.JPG": png(kind="JPEG"), "train/x/notes.txt": b"", "train/z.csv": b""}
    listing = list_images(write_folder(tmp_path, {**TRAIN, **TEST, **extra}), seed=0)
    assert counts(listing, "train") == {"x": 11, "y": 10}


@pytest.mark.parametrize("content", ["nothing", "text"])
def test_a_class_folder_without_images_is_a_class_without_images(tmp_path, keys, content):
    write_folder(tmp_path / "set", {**TRAIN, **TEST})
    (tmp_path / "set" / "train" / "zebra").mkdir()
    if content == "text":
        (tmp_path / "set" / "train" / "zebra" / "readme.txt").write_text("soon")
    with pytest.raises(ValueError, match=r"no train image of class zebra; choose others"):
        build_data("folder", **{**keys, "root": tmp_path / "set"})


def test_a_class_that_train_lacks_is_named(tmp_path):
    files = {**TRAIN, **class_folders("test/", "xyz", 2)}
    with pytest.raises(ValueError, match=r"data\.root: classes z have no folder .* train: x, y"):
        list_images(write_folder(tmp_path, files), seed=0)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_a_test_fraction_outside_0_and_1_is_refused(keys, fraction):
    text = rf"data\.test_fraction={fraction} is no number above 0 below 1"
    with pytest.raises(ValueError, match=text):
        build_data("folder", **keys, test_fraction=fraction)


def test_a_folder_without_class_folders_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has another layout .*one folder per class"):
        list_images(write_folder(tmp_path, {"1.png": png()}), seed=0)
