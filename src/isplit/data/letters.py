"""The embedded data set: letters A-J as notMNIST has them, rendered in seconds, no download.

One number, the difficulty, goes from clean (0) to distorted, cluttered and noisy (1). At 0.75 a
VGG16 of a quarter of the width reaches about 0.90 and retrained split points spread widely, which
is what a comparison of split points needs. Whole font families are kept for the test images.
"""

from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import PIL
import torch

from isplit.data.cache import Arrays, cached
from isplit.data.files import array_files
from isplit.data.fonts import LETTERS, TEST_STYLES, TRAIN_STYLES
from isplit.data.listing import Labelled, Listing
from isplit.data.scenes import render

RENDERING = 2  # to be raised with every change of the pixels: old cache files are not used then


def list_images(
    _root: None = None,
    *,
    image_size: int,
    cache_dir: Path | str,
    seed: int,
    difficulty: float = 0.75,
    train_images: int = 6000,
    test_images: int = 2000,
    **_: Any,
) -> Listing:
    """The letters of this difficulty (0..1) and seed, from the cache if they are there."""

    def draw() -> Arrays:
        look = partial(render, difficulty=difficulty, image_size=image_size)
        train = look(train_images, TRAIN_STYLES, seed=2 * seed)
        test = look(test_images, TEST_STYLES, seed=2 * seed + 1)
        images, labels = (torch.cat(parts) for parts in zip(train, test, strict=True))
        return {"images": images.permute(0, 2, 3, 1).numpy(), "labels": labels.numpy()}

    renderer = (f"rendering {RENDERING}", f"matplotlib {mpl.__version__}", f"PIL {PIL.__version__}")
    settings = [difficulty, image_size, seed, train_images, test_images, *renderer]
    drawn = cached(cache_dir, "letters", settings, draw)
    images = [Labelled(str(number), int(label)) for number, label in enumerate(drawn["labels"])]
    splits = {"train": tuple(images[:train_images]), "test": tuple(images[train_images:])}
    return Listing(array_files(drawn["images"]), tuple(LETTERS), splits)
