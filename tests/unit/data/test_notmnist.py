from collections import Counter

import numpy as np
import pytest
from pictures import class_folders, idx, write_folder, write_tar, write_zip

from isplit.data import build_data
from isplit.data.notmnist import list_images, read_idx

LETTERS = "ABCDEFGHIJ"


def pair(part: str, count: int, *, seed: int = 0, **options) -> dict[str, bytes]:
    images = np.random.default_rng(seed).integers(0, 256, (count, 28, 28), np.uint8)
    names = (f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte")
    suffix = ".gz" if options.get("zipped", True) else ""
    arrays = (images, np.arange(count) % 10)
    return {f"{n}{suffix}": idx(a, **options) for n, a in zip(names, arrays, strict=True)}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), (0, 28, 28)])
def test_an_idx_file_gives_back_its_array(shape, zipped):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.testing.assert_array_equal(read_idx(idx(array, zipped=zipped)), array)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "it begins"),
        (b"\x89PNG\r\n\x1a\n", "it begins"),
        (b"\0\0\x0d\1\0\0\0\1\0\0\0\0", "it begins"),  # floats
        (idx(np.zeros((2, 3)), zipped=False)[:-1], r"cannot reshape array of size 5"),
        (idx(np.zeros((2, 3)), zipped=False) + b"x", r"cannot reshape array of size 7"),
        (b"\0\0\x08\3\0\0\0\1", "requires a buffer"),
        (idx(np.zeros(500))[:-9], ""),
    ],
)
def test_a_damaged_idx_file_is_named(content, text):
    with pytest.raises(ValueError, match=f"x is no whole idx file of unsigned bytes: .*{text}"):
        read_idx(content, "x")


@pytest.mark.parametrize(("count", "train"), [(10_000, 8000), (50, 40), (7, 6)])
def test_one_pair_is_divided_in_file_order(tmp_path, count, train):
    listing = list_images(write_folder(tmp_path, pair("t10k", count)))
    assert [name for name, _ in listing.splits["train"]] == [str(n) for n in range(train)]
    assert [name for name, _ in listing.splits["test"]] == [str(n) for n in range(train, count)]
    assert all(label == int(name) % 10 for name, label in listing.splits["train"])


def test_two_pairs_are_train_and_test(tmp_path):
    files = {**pair("train", 30), **pair("t10k", 20, seed=1, zipped=False)}
    listing = list_images(write_folder(tmp_path, files))
    assert [len(listing.splits[split]) for split in ("train", "test")] == [30, 20]
    assert listing.class_names == tuple(LETTERS)


@pytest.mark.parametrize("write", [write_folder, write_zip, write_tar])
def test_idx_files_are_found_in_every_place(tmp_path, write):
    files = {f"notmnist/{name}": content for name, content in pair("t10k", 20).items()}
    assert len(list_images(write(tmp_path / "set", files)).splits["train"]) == 16


def test_grey_letters_become_rgb_of_the_size_asked_for(tmp_path, keys):
    root = write_folder(tmp_path / "set", pair("t10k", 100))
    data = build_data("notmnist", **{**keys, "root": root, "image_size": 32})
    x, _ = next(iter(data.loader("test", 4)))
    assert x.shape == (4, 3, 32, 32)
    assert (x[:, 0] == x[:, 1]).all()
    assert (x[:, 0] == x[:, 2]).all()


def test_png_folders_are_divided_per_class_by_the_hash_of_the_file_name(tmp_path):
    files = class_folders("notMNIST_small/", LETTERS, 10)
    listing = list_images(write_folder(tmp_path, files))
    for split, count in (("train", 8), ("test", 2)):
        assert Counter(label for _, label in listing.splits[split]) == dict.fromkeys(
            range(10), count
        )
    assert listing.splits == list_images(write_folder(tmp_path / "copy", files)).splits
    in_order = {f"{letter}/{n}.png" for letter in LETTERS for n in range(8)}
    assert {name for name, _ in listing.splits["train"]} != in_order


def test_labels_that_do_not_fit_the_images_are_refused(tmp_path):
    files = pair("t10k", 20)
    for labels in (np.zeros(19), np.full(20, 10), np.zeros((20, 1))):
        files["t10k-labels-idx1-ubyte.gz"] = idx(labels)
        with pytest.raises(ValueError, match=r"t10k has images of shape \(20, 28, 28\) and labels"):
            list_images(write_folder(tmp_path, files))


def test_a_pair_without_labels_says_which_file_is_missing(tmp_path):
    files = pair("t10k", 20)
    del files["t10k-labels-idx1-ubyte.gz"]
    with pytest.raises(FileNotFoundError, match=r"lacks t10k-labels-idx1-ubyte\[\.gz\]"):
        list_images(write_folder(tmp_path, files))
