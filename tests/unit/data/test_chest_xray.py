import io
from collections import Counter

import numpy as np
import pytest
from pictures import write_folder
from PIL import Image

from isplit.data import build_data
from isplit.data.folder import list_chest_images


def xray(shade: int, size: tuple[int, int], mode: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full(size, shade, np.uint8)).convert(mode).save(file, "JPEG")
    return file.getvalue()


def chest(prefix: str = "chest_xray/") -> dict[str, bytes]:
    """The original layout: unbalanced, any size, grey or RGB, 16 images in val."""
    counts = {"train": (4, 12), "val": (8, 8), "test": (3, 5)}
    return {
        f"{prefix}{split}/{name}/{name}-{n}.jpeg": xray(
            16 * n, (60 + 7 * n, 90), "RGB" if n % 4 == 0 else "L"
        )
        for split, both in counts.items()
        for name, count in zip(("NORMAL", "PNEUMONIA"), both, strict=True)
        for n in range(count)
    }


def test_the_original_val_is_left_aside_and_validation_carved_out_of_train(tmp_path, keys):
    root = write_folder(tmp_path / "set", chest())
    data = build_data("chest_xray", **{**keys, "root": root, "image_size": 32})
    assert data.class_names == ("NORMAL", "PNEUMONIA")
    assert Counter(data.labels("train")) == {0: 3, 1: 9}
    assert Counter(data.labels("validation")) == {0: 1, 1: 3}
    assert Counter(data.labels("test")) == {0: 3, 1: 5}
    x, _ = next(iter(data.loader("test", 8)))
    assert x.shape == (8, 3, 32, 32)


def test_the_doubled_folders_of_the_kaggle_archive_count_once(tmp_path):
    doubled = {**chest(), **chest("chest_xray/chest_xray/"), **chest("chest_xray/__MACOSX/")}
    listing = list_chest_images(write_folder(tmp_path, doubled))
    assert len(listing.splits["train"]) == 16


def test_a_download_is_refused_with_where_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"data\.download=true: .*kaggle\.com.*data\.root"):
        list_chest_images(tmp_path, download=True)
