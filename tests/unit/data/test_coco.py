"""COCO's format: what is read, and what is refused by the name of the file and the key."""

import json

import numpy as np
import pytest
from coco import read_coco
from PIL import Image

CATEGORIES = [{"id": 3, "name": "car"}, {"id": 90, "name": "toothbrush"}]


def entry(number, image, box, category=3, **more):
    return {"id": number, "image_id": image, "bbox": box, "category_id": category, **more}


def write(folder, annotations=(), /, **more):
    listed = []
    for number, name, width, height in ((7, "b.png", 40, 20), (5, "a.png", 10, 30)):
        pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
        listed.append({"id": number, "file_name": name, "width": width, "height": height})
    content = {"images": listed, "annotations": list(annotations), "categories": CATEGORIES} | more
    file = folder / "annotations.json"
    file.write_text(json.dumps(content))
    return file


def test_boxes_are_by_image_and_an_image_may_have_none(tmp_path):
    boxes = [entry(1, 7, [1, 2, 3.5, 4]), entry(2, 7, [0, 0, 40.4, 20], 90, iscrowd=1)]
    names, found = read_coco(tmp_path, write(tmp_path, boxes))
    assert names == {3: "car", 90: "toothbrush"}
    assert [image.path.name for image in found] == ["a.png", "b.png"]  # by id
    assert [image.boxes.shape for image in found] == [(0, 4), (2, 4)]
    assert found[1].boxes.tolist() == [[1, 2, 4.5, 6], [0, 0, np.float32(40.4), 20]]
    assert found[1].labels.tolist() == [3, 90]
    assert found[1].crowd.tolist() == [False, True]
    assert found[0].labels.dtype == np.int64
    assert found[0].crowd.dtype == bool


def test_pixels_are_those_of_the_file(tmp_path):
    _, (image, _) = read_coco(tmp_path, write(tmp_path, []))
    assert image.pixels(8).shape == (3, 8, 8)
    whole = np.asarray(Image.open(tmp_path / "a.png").resize((30, 30), Image.Resampling.BILINEAR))
    assert np.array_equal(image.pixels(30).transpose(1, 2, 0), whole)


def test_a_box_without_area_is_left_out_and_said(tmp_path, caplog):
    boxes = [entry(1, 7, [1, 2, 0, 4]), entry(2, 7, [1, 2, 3, 0]), entry(3, 7, [1, 2, 3, 4])]
    _, found = read_coco(tmp_path, write(tmp_path, boxes))
    assert len(found[1].boxes) == 1
    assert "annotations.json: 2 boxes without area" in caplog.text


@pytest.mark.parametrize(
    "box",
    [
        [1, 2, -3, 4],
        [30, 2, 35, 6],  # right and bottom in the place of width and height
        [1, 18, 3, 3.5],
        [-2, 0, 5, 5],
        [float("nan"), 0, 5, 5],
        [0, 0, 5, float("nan")],
        [0, 0, float("inf"), 5],
        [1, 2, 3],
        [[1, 2, 3, 4]],
        [],
        [0, 0, 5, 5, 5],
        [[0, 0, 5, 5]] * 5,
    ],
)
def test_a_box_that_is_none_is_refused(tmp_path, box):
    file = write(tmp_path, [entry(12, 7, box)])
    with pytest.raises(ValueError, match=r"annotations\.json: annotation 12: bbox=.*40 x 20"):
        read_coco(tmp_path, file)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"annotations": [entry(1, 8, [0, 0, 1, 1])]}, "annotation 1: image_id=8 is not listed"),
        ({"annotations": [entry(1, 7, [0, 0, 1, 1], 4)]}, "annotation 1: category_id=4 is not"),
        ({"annotations": [{"id": 1, "image_id": 7, "category_id": 3}]}, "has no 'bbox'"),
        ({"annotations": [entry(1, 7, ["a", 0, 1, 1])]}, "could not convert"),
        ({"annotations": [entry(1, 7, None)]}, "annotation 1: bbox=None"),
        ({"annotations": None}, "annotations.json: "),
        ({"images": [{"id": 7, "file_name": "b.png", "width": 40}]}, "has no 'height'"),
        ({"categories": [{"name": "car"}]}, "has no 'id'"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, more, says):
    file = write(tmp_path, **more)
    with pytest.raises(ValueError, match=says):
        read_coco(tmp_path, file)


@pytest.mark.parametrize("text", ["", "[]", "{", '"a"', "{}"])
def test_what_is_not_coco_is_refused(tmp_path, text):
    file = tmp_path / "annotations.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"annotations\.json: "):
        read_coco(tmp_path, file)


def test_missing_files_are_named(tmp_path):
    file = write(tmp_path, [])
    (tmp_path / "b.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.png is not there, which .*annotations\.json"):
        read_coco(tmp_path, file)
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        read_coco(tmp_path, tmp_path / "none.json")


def test_an_image_of_another_size_or_damaged_is_refused(tmp_path):
    _, (image, other) = read_coco(tmp_path, write(tmp_path, []))
    Image.new("RGB", (30, 10)).save(image.path)
    with pytest.raises(ValueError, match=r"a\.png has \(30, 10\) pixels, .* \(10, 30\)"):
        image.pixels(8)
    other.path.write_bytes(other.path.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"b\.png cannot be read"):
        other.pixels(8)
