"""Images with boxes in COCO format: a folder of images and one file of annotations.

Legend: K boxes of an image, S pixels a side.
"""

import json
import logging
from collections.abc import Mapping
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
            raise ValueError(f"{self.path} is of {image.size} pixels, its annotations say {self.size}")
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
        found: dict[Any, list[tuple[Any, ...]]] = {number: [] for number in listed}
        for entry in content["annotations"]:
            found[entry["image_id"]].append(_box(entry, names, listed))
        boxed = [_boxed(images, listed[number], found[number]) for number in sorted(listed)]
    except KeyError as error:
        raise ValueError(f"{annotations}: an entry has no {error}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{annotations}: {error}") from error
    if missing := [image.path for image in boxed if not image.path.is_file()]:
        raise FileNotFoundError(f"{missing[0]} is not there, which {annotations} names")
    if empty := sum(map(len, found.values())) - sum(len(image.boxes) for image in boxed):
        log.warning("%s: %d boxes without area are left out", annotations, empty)
    return names, boxed


def _box(entry: Mapping[str, Any], names: Mapping[Any, str], listed: Mapping[Any, Any]) -> Any:
    """Box, category and crowd of an annotation."""
    for key, known in (("image_id", listed), ("category_id", names)):
        if entry[key] not in known:
            raise ValueError(f"annotation {entry.get('id')}: {key}={entry[key]} is not listed")
    image, box = listed[entry["image_id"]], np.asarray(entry["bbox"], float)
    size = np.array([image["width"], image["height"]])
    if box.shape == (4,):
        low, high = box[:2], box[:2] + box[2:]
        if all((-SLACK <= low) & (low <= high) & (high <= size + SLACK)):  # false of NaN
            return (*low, *high), entry["category_id"], entry.get("iscrowd", 0)
    raise ValueError(
        f"annotation {entry.get('id')}: bbox={entry['bbox']} is no [left, top, width, height]"
        f" inside its image of {size[0]} x {size[1]} pixels"
    )


def _boxed(images: Path, entry: Mapping[str, Any], found: list[tuple[Any, ...]]) -> Boxed:
    rows = [row for row in found if row[0][0] < row[0][2] and row[0][1] < row[0][3]]
    boxes, labels, crowd = zip(*rows, strict=True) if rows else ((), (), ())
    return Boxed(
        images / entry["file_name"],
        (entry["width"], entry["height"]),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int64),
        np.array(crowd, bool),
    )
