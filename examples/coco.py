"""Images with boxes in COCO format: a folder of images and one file of annotations.

Legend: K boxes of an image, S pixels a side.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

log = logging.getLogger(__name__)

SLACK = 1.0  # pixels by which rounding may take a box beyond its image


@dataclass(frozen=True)
class Boxed:
    """An image file and what is in it.

    Attributes:
        size: width and height in pixels.
        boxes: float32 (K, 4), left, top, right and bottom in pixels.
        labels: int64 (K,), category ids as they stand in the file.
        crowd: bool (K,), whether the box is around a group that was not counted.
    """

    path: Path
    size: tuple[int, int]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]

    def pixels(self, side: int) -> NDArray[np.uint8]:
        """The image as RGB, stretched to (3, S, S).

        Raises:
            ValueError: the file is damaged, or of another size than its annotations say.
        """
        try:
            with Image.open(self.path) as file:
                image = file.convert("RGB")
        except (OSError, SyntaxError) as error:
            raise ValueError(f"{self.path} cannot be read: {error}") from error
        if image.size != self.size:
            raise ValueError(f"{self.path} has {image.size} pixels, by its annotations {self.size}")
        return np.array(image.resize((side, side), Image.Resampling.BILINEAR)).transpose(2, 0, 1)


def read_coco(images: Path, annotations: Path) -> tuple[dict[int, str], list[Boxed]]:
    """Names of the categories by id, and all images in the order of their ids.

    An image without annotations has no boxes. Boxes without area, of which COCO itself has some,
    are left out and counted in the log.

    Raises:
        FileNotFoundError: the annotations, or an image that they name, are not there.
        ValueError: not COCO's format, an image or category that is not listed, or a box that is
            none or lies outside its image.
    """
    try:
        content = json.loads(annotations.read_text(encoding="utf-8"))
        names = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
        listed = {entry["id"]: entry for entry in content["images"]}
        found: dict[Any, list[list[float]]] = {number: [] for number in listed}
        for entry in content["annotations"]:
            _add(entry, names, listed, found)
        boxed = [_boxed(images, listed[number], found[number]) for number in sorted(listed)]
    except (KeyError, TypeError, ValueError) as error:
        lacks = "an entry has no " if isinstance(error, KeyError) else ""
        raise ValueError(f"{annotations}: {lacks}{error}") from error
    if missing := [image.path for image in boxed if not image.path.is_file()]:
        raise FileNotFoundError(f"{missing[0]} is not there, which {annotations} names")
    if empty := sum(map(len, found.values())) - sum(len(image.boxes) for image in boxed):
        log.warning("%s: %d boxes without area are left out", annotations, empty)
    return names, boxed


def _add(entry: Any, names: Any, listed: Any, found: dict[Any, list[list[float]]]) -> None:
    """Left, top, right, bottom, category and crowd of an annotation, to those of its image."""
    about = f"annotation {entry.get('id')}"
    for key, known in (("image_id", listed), ("category_id", names)):
        if entry[key] not in known:
            raise ValueError(f"{about}: {key}={entry[key]} is not listed")
    size = np.array([listed[entry["image_id"]][key] for key in ("width", "height")])
    box = np.array(entry["bbox"], float, ndmin=1)
    low, high = box[:2], box[:2] + box[2:4]
    if box.shape != (4,) or not all((low >= -SLACK) & (low <= high) & (high <= size + SLACK)):
        about += f": bbox={entry['bbox']} is no [left, top, width, height]"
        raise ValueError(f"{about} inside its image of {size[0]} x {size[1]} pixels")
    found[entry["image_id"]].append([*low, *high, entry["category_id"], entry.get("iscrowd", 0)])


def _boxed(images: Path, entry: Any, found: list[list[float]]) -> Boxed:
    rows = np.array(found, float).reshape(-1, 6)
    rows = rows[(rows[:, 2:4] > rows[:, :2]).all(1)]
    what = rows[:, :4].astype(np.float32), rows[:, 4].astype(np.int64), rows[:, 5] > 0
    return Boxed(images / entry["file_name"], (entry["width"], entry["height"]), *what)
