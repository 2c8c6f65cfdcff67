from collections import Counter

import pytest
from pictures import png, write_folder, write_tar, write_zip

from isplit.data import build_data
from isplit.data.tiny_imagenet import list_images

WNIDS = ("n02", "n01", "n03")
WORDS = "n01\tgoldfish, Carassius auratus\nn02\tcrane\nn03\tcrane, derrick\nn99\tnot here\n"


def tiny(train: int = 8, val: int = 6) -> dict[str, bytes]:
    """The original layout with three classes; test images have no labels."""
    jpeg = {n: png(9 * n, (64, 64), "JPEG") for n in range(24)}
    annotations = [f"val_{n}.JPEG\t{WNIDS[n % 3]}\t0\t0\t62\t57" for n in range(val)]
    return {
        "wnids.txt": "\n".join(WNIDS).encode() + b"\n",
        "words.txt": WORDS.encode(),
        "val/val_annotations.txt": "\n".join(annotations).encode() + b"\n",
        "test/images/test_0.JPEG": jpeg[0],
        **{f"train/{w}/{w}_boxes.txt": b"" for w in WNIDS},
        "train/n01/images/n01_0.JPEG.txt": b"about it",
        **{
            f"train/{wnid}/images/{wnid}_{n}.JPEG": jpeg[8 * k + n]
            for k, wnid in enumerate(WNIDS)
            for n in range(train)
        },
        **{f"val/images/val_{n}.JPEG": jpeg[n] for n in range(val)},
    }


@pytest.fixture(params=[write_folder, write_zip, write_tar])
def root(request, tmp_path):
    files = {f"tiny-imagenet-200/{name}": content for name, content in tiny().items()}
    return request.param(tmp_path / "set", files)


def test_the_original_layout_is_read_from_every_place(root):
    listing = list_images(root)
    assert Counter(label for _, label in listing.splits["train"]) == {0: 8, 1: 8, 2: 8}
    assert Counter(label for _, label in listing.splits["test"]) == {0: 2, 1: 2, 2: 2}
    assert dict(listing.splits["test"])["val/images/val_4.JPEG"] == 1
    assert "validation" not in listing.splits


def test_classes_have_readable_unique_names_and_answer_to_their_id(root, keys):
    settings = {**keys, "root": root, "image_size": 64}
    assert build_data("tiny_imagenet", **settings).class_names == (
        "crane",
        "goldfish",
        "crane, derrick",
    )
    chosen = build_data("tiny_imagenet", **{**settings, "classes": ["n03", "goldfish"]})
    assert chosen.class_names == ("crane, derrick", "goldfish")
    assert chosen.size("test") == 4


def test_a_missing_file_of_the_set_is_named(tmp_path):
    files = tiny()
    del files["val/val_annotations.txt"]
    with pytest.raises(FileNotFoundError, match=r"lacks val/val_annotations\.txt\. Fetch it by"):
        list_images(write_folder(tmp_path, files))


def test_an_annotated_image_that_is_not_there_is_listed(tmp_path, keys):
    files = tiny()
    del files["val/images/val_3.JPEG"]
    root = write_folder(tmp_path / "set", files)
    with pytest.raises(ValueError, match=r"1 files are no images(.|\n)*val/images/val_3\.JPEG"):
        build_data("tiny_imagenet", **{**keys, "root": root})


def test_an_image_of_a_class_outside_the_list_is_refused(tmp_path):
    files = {**tiny(), "train/n77/images/n77_0.JPEG": png()}
    with pytest.raises(ValueError, match=r"data\.root: wnids\.txt lacks n77"):
        list_images(write_folder(tmp_path, files))
