"""The keys that every data set has, small letters, and the way to the real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isplit.data import ImageData, build_data

REAL = Path(__file__).parents[3].parent / "shared" / "data"


@pytest.fixture
def keys(tmp_path) -> dict[str, Any]:
    """The keys of conf/data/_base.yaml, for images of 16 pixels."""
    return {
        "root": None,
        "image_size": 16,
        "classes": None,
        "images_per_class": None,
        "validation_fraction": 0.25,
        "augment": "none",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "max_corrupt": 0,
        "download": False,
        "num_workers": 0,
        "cache_dir": tmp_path / "cache",
        "seed": 0,
    }


@pytest.fixture
def letters(keys):
    """Builds the letters, 120 and 40 of them unless told otherwise."""

    def build(**changes: Any) -> ImageData:
        own = {"train_images": 120, "test_images": 40, "difficulty": 0.5}
        return build_data("letters", **{**keys, **own, **changes})

    return build


@pytest.fixture
def real():
    """A file or folder of the real data, or a skip where it is not there."""

    def find(name: str) -> Path:
        if not (REAL / name).exists():
            pytest.skip(f"the real data is not there: {REAL / name}")
        return REAL / name

    return find
