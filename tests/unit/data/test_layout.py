"""Folders as people bring them: split names, folders around the set, classes called like splits."""

import logging

import pytest
from pictures import class_folders, png, write_folder, write_zip

from isplit.data.folder import list_images


def sizes(files, tmp_path, write=write_folder):
    listing = list_images(write(tmp_path / "set", files), seed=0, test_fraction=0.25)
    return listing.class_names, {split: len(images) for split, images in listing.splits.items()}


def parts(*names: str, classes: str = "ab") -> dict[str, bytes]:
    """The same class folders in each of these folders."""
    return {n: c for name in names for n, c in class_folders(f"{name}/", classes, 2).items()}


def flat(*names: str) -> dict[str, bytes]:
    """Images in these folders."""
    return {f"{name}/{n}.png": png(n) for name in names for n in (1, 2)}


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("Training", None, "Testing"),
        ("TRAIN", "VAL", "TEST"),
        ("train", "dev", "Test"),
        ("seg_train", None, "seg_test"),
        ("asl_alphabet_train", None, "asl_alphabet_test"),
        ("Train_Data", "Valid", "TestData"),
        ("training_set", "validation_set", "test_set"),
        ("trainset", None, "testset"),
        ("train2017", "val2017", "test2017"),
        ("images-train", None, "images-eval"),
    ],
)
@pytest.mark.parametrize("around", ["", "archive/", "archive/data/"])
def test_split_folders_are_known_by_the_usual_names(tmp_path, train, validation, test, around):
    files = {
        **class_folders(f"{around}{train}/", "xyz", 4),
        **class_folders(f"{around}{test}/", "xyz", 2),
    }
    if validation:
        files |= class_folders(f"{around}{validation}/", "xyz", 1)
    expected = {"train": 12, "test": 6} | ({"validation": 3} if validation else {})
    assert sizes(files, tmp_path) == (("x", "y", "z"), expected)


def test_folders_inside_a_split_of_its_own_name_are_looked_through(tmp_path):
    files = {
        **class_folders("seg_train/seg_train/", "xy", 4),
        **class_folders("seg_test/seg_test/", "xy", 2),
        **{f"seg_pred/seg_pred/{n}.png": png(n) for n in range(3)},
    }
    assert sizes(files, tmp_path) == (("x", "y"), {"train": 8, "test": 4})


@pytest.mark.parametrize("write", [write_folder, write_zip])
def test_class_folders_below_one_folder_are_the_classes(tmp_path, write):
    files = {f"a/pets/{name}": c for name, c in class_folders("", "xyz", 4).items()}
    files |= {"__MACOSX/pets/._x.png": b"", "a/readme.txt": b""}
    assert sizes(files, tmp_path, write) == (("x", "y", "z"), {"train": 9, "test": 3})


@pytest.mark.parametrize("names", [["bus", "car", "train"], ["invalid", "valid"]])
def test_a_class_may_be_called_like_a_split(tmp_path, names):
    files = {f"{name}/{n}.png": png(n) for name in names for n in range(4)}
    assert sizes(files, tmp_path)[0] == tuple(names)


def test_a_class_called_train_is_one_inside_the_splits_too(tmp_path):
    files = {
        f"{s}/{c}/{n}.png": png(n)
        for s in ("train", "test")
        for c in ("bus", "train")
        for n in (1, 2)
    }
    assert sizes(files, tmp_path) == (("bus", "train"), {"train": 4, "test": 4})


def test_a_test_folder_without_classes_is_passed_over(tmp_path, caplog):
    files = {**class_folders("train/", "xy", 4), "test/1.png": png(1), "test/2.heic": b""}
    with caplog.at_level(logging.INFO):
        assert sizes(files, tmp_path) == (("x", "y"), {"test": 2, "train": 6})
    assert "passed over: 1 .heic, 1 .png" in caplog.text


REFUSED = {
    "folds": (parts("fold1", "fold_2"), "parts of a set"),
    "unequal folds": ({**parts("k0", classes="abc"), **parts("k1")}, "parts of a set"),
    "classes around splits": (flat("cat/train", "cat/test", "dog/train", "dog/test"), "parts of"),
    "no train": (parts("val", "test"), "no folder of train"),
    "test alone": (parts("Test"), "no folder of train"),
    "no classes": (flat("train", "test"), "hold images without class folders"),
    "test among classes": (flat("cat", "dog", "test"), "rename the folder if it is a class"),
    "twice": (parts("train", "Training"), "named like the same split; keep one"),
    "split or class": ({**parts("train"), **flat("bus")}, "a split or a class"),
    "one class": (flat("a"), "one class folder alone"),
    "one class in splits": (parts("train", "test", classes="a"), "one class folder alone"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_layout_that_is_not_clear_is_refused(tmp_path, name):
    files, text = REFUSED[name]
    with pytest.raises(ValueError, match=text):
        sizes(files, tmp_path)


def test_classes_that_all_keep_their_images_in_a_folder_are_classes(tmp_path):
    files = {f"{c}/images/{n}.png": png(n) for c in "abc" for n in range(4)}
    assert sizes(files, tmp_path) == (("a", "b", "c"), {"train": 9, "test": 3})


def test_what_is_taken_for_what_is_said(tmp_path, caplog):
    files = {**class_folders("Training/", "xy", 4), **class_folders("Testing/", "xy", 2)}
    with caplog.at_level(logging.INFO):
        sizes({**files, "Training/x/a.heic": b"", "Training/x/b": b""}, tmp_path)
    assert "train is Training/, test is Testing/; 2 classes: x, y" in caplog.text
    assert "1 .heic" in caplog.text
    assert "1 without ending" in caplog.text
