"""A set of images with boxes, in COCO format: shapes of four classes on textures, drawn by a seed.

    python examples/boxed_shapes.py FOLDER --images 900 --size 160

Most images have one to five shapes, turned, of a fifth to a half of the side, that hide no more
than a little of each other; some have none. Shape and ground are textures of any two colours.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from isplit.files import write_json

Floats = NDArray[np.float64]
TRIES = 8  # to put a shape somewhere; one that would hide another is left out
FINE = 4  # drawn at so many times the size, then averaged
CORNERS = {
    "disc": [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 48)],
    "square": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
    "triangle": [(0, -1), (0.95, 0.75), (-0.95, 0.75)],
    "star": [
        ((1.0, 0.42)[k % 2] * np.sin(k * np.pi / 5), -(1.0, 0.42)[k % 2] * np.cos(k * np.pi / 5))
        for k in range(10)
    ],
}
NAMES = dict(enumerate(CORNERS, 1))


def draw_set(folder: Path, images: int, size: int, seed: int) -> tuple[Path, Path]:
    """``folder/images`` and ``folder/annotations.json``, which is written last."""
    places = folder / "images", folder / "annotations.json"
    places[0].mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    for number in range(images):
        pixels, found = _scene(size, np.random.default_rng([seed, number]))
        name = f"{number:05}.jpg"
        Image.fromarray(pixels).save(places[0] / name, quality=95)
        entries.append({"id": number, "file_name": name, "width": size, "height": size})
        for label, (left, top, right, bottom) in found:
            box = [round(float(x), 2) for x in (left, top, right - left, bottom - top)]
            about = {"area": box[2] * box[3], "iscrowd": 0, "bbox": box}
            boxes.append({"id": len(boxes), "image_id": number, "category_id": label, **about})
    categories = [{"id": number, "name": name} for number, name in NAMES.items()]
    write_json(places[1], {"images": entries, "annotations": boxes, "categories": categories})
    return places


def _scene(size: int, dice: np.random.Generator) -> tuple[NDArray[np.uint8], list[Any]]:
    paper = dice.uniform(0.1, 0.9, 3)
    canvas = _texture(paper, size, dice)
    found: list[tuple[int, Floats]] = []
    for _ in range(dice.integers(1, TRIES + 1)):
        label = int(dice.integers(1, 1 + len(NAMES)))
        corners = _corners(NAMES[label], size, dice)
        box = np.concatenate([corners.min(0), corners.max(0)])
        if box.min() < 0 or box.max() > size or any(_overlap(box, b) > 0.1 for _, b in found):
            continue
        ink = _texture(_away_from(paper, dice), size, dice)
        canvas += _cover(corners, size)[..., None] * (ink - canvas)
        found.append((label, box))
    grain = dice.uniform(0, 0.04) * dice.standard_normal(canvas.shape)
    return (np.clip(canvas + grain, 0, 1) * 255).round().astype(np.uint8), found


def _corners(name: str, size: int, dice: np.random.Generator) -> Floats:
    turn, radius = dice.uniform(-0.5, 0.5), size * dice.uniform(0.11, 0.25)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = dice.uniform(radius, size - radius, 2)
    return np.asarray(CORNERS[name] @ rotation.T * radius + middle)


def _cover(corners: Floats, size: int) -> Floats:
    """How much of each pixel the shape covers, (S, S)."""
    mask = Image.new("L", (FINE * size, FINE * size))
    ImageDraw.Draw(mask).polygon([tuple(FINE * corner) for corner in corners], fill=255)
    return np.asarray(mask.reduce(FINE), float) / 255


def _texture(colour: Floats, size: int, dice: np.random.Generator) -> Floats:
    """Stripes and blotches around a colour, (S, S, 3)."""
    angle, period = dice.uniform(0, np.pi), size * dice.uniform(0.03, 0.15)
    rows, columns = np.mgrid[:size, :size]
    wave = np.sin(2 * np.pi * (np.cos(angle) * rows + np.sin(angle) * columns) / period)
    coarse = Image.fromarray(dice.uniform(0, 255, (6, 6)).astype(np.uint8))
    blotches = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC)) / 127.5 - 1
    light = 0.08 * dice.uniform() * wave + 0.12 * dice.uniform() * blotches
    return np.asarray(colour + light[..., None])


def _away_from(paper: Floats, dice: np.random.Generator) -> Floats:
    """A colour that is not that of the paper."""
    while abs((ink := dice.uniform(0, 1, 3)) - paper).max() < 0.35:
        pass
    return ink


def _overlap(one: Floats, other: Floats) -> float:
    """The common part of two boxes, of the smaller."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    areas = [np.prod(box[2:] - box[:2]) for box in (one, other)]
    return float(np.prod(sides.clip(0)) / min(areas))


def main() -> None:
    """Draw one set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=900)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(*draw_set(options.folder, options.images, options.size, options.seed))


if __name__ == "__main__":
    main()
