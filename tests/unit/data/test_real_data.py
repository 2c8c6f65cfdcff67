"""The real downloads, or parts of them, against what is known about them."""

from collections import Counter

import pytest

from isplit.data import build_data

pytestmark = pytest.mark.data


def counts(data, *splits):
    return [
        Counter(label for split in splits for label in data.labels(split))[k] for k in range(10)
    ]


def test_notmnist_splits_by_file_order(real, keys):
    data = build_data("notmnist", **{**keys, "root": real("notmnist"), "image_size": 28})
    assert counts(data, "train", "validation") == [
        759, 797, 780, 830, 828, 805, 813, 797, 805, 786
    ]  # fmt: skip
    assert counts(data, "test") == [241, 203, 220, 170, 172, 195, 187, 203, 195, 214]
    x, _ = next(iter(data.loader("test", 2000, classes=["I"])))
    white = (x * 0.25 + 0.5 > 0.998).flatten(1).all(1)
    assert 20 < int(white.sum()) < 141  # some of the 141 solid I of the whole file


def test_tiny_imagenet_has_its_classes_counts_and_grey_images(real, keys):
    root = real("tiny-imagenet-200-subset.tar")
    data = build_data(
        "tiny_imagenet",
        **{**keys, "root": root, "image_size": 64, "classes": ["goldfish", "n02123394", 0]},
    )
    assert data.class_names == ("goldfish", "Persian cat", "Egyptian cat")
    assert counts(data, "train", "validation")[:3] == [75] * 3
    assert counts(data, "test")[:3] == [25] * 3
    assert data.skipped == ()


def test_tiny_imagenet_names_are_two_hundred(real):
    from isplit.data.tiny_imagenet import list_images

    listing = list_images(real("tiny-imagenet-200-subset.tar"))
    assert len(set(listing.class_names)) == 200
    assert [len(listing.splits[split]) for split in ("train", "test")] == [15_000, 5_000]


def test_chest_xrays_keep_their_balance_and_leave_val_aside(real, keys):
    root = real("chest_xray-subset.tar")
    data = build_data("chest_xray", **{**keys, "root": root, "validation_fraction": 0.1})
    assert counts(data, "train", "validation")[:2] == [231, 669]
    assert counts(data, "validation")[:2] == [23, 67]
    assert counts(data, "test")[:2] == [234, 390]
