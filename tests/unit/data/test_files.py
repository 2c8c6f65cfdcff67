import io
import pickle
import re
import tarfile

import numpy as np
import pytest
from pictures import write_folder, write_tar, write_zip
from PIL import Image

from isplit.data.files import array_files, open_files, open_root

FILES = {"set/b/2.txt": b"two", "set/a/1.txt": b"one", "set/top.txt": b"", "set/b/ü.txt": b"ue"}
NAMES = tuple(sorted(FILES))
LAYOUT = re.compile(r"(?P<top>(?:.*/)??)top\.txt")


@pytest.fixture(params=["folder", "zip", "tar"])
def place(request, tmp_path):
    """The same files in each kind of place."""
    writers = {"folder": write_folder, "zip": write_zip, "tar": write_tar}
    suffix = {"folder": "", "zip": ".zip", "tar": ".tar"}[request.param]
    return lambda files: writers[request.param](tmp_path / f"pictures{suffix}", files)


def test_every_place_gives_the_same_names_and_bytes(place):
    source = open_files(place(FILES))
    assert source.names == NAMES
    assert {name: source.read(name) for name in NAMES} == FILES


def test_a_source_travels_to_a_worker_process(place):
    source = open_files(place(FILES))
    source.read(NAMES[0])
    assert pickle.loads(pickle.dumps(source)).read("set/a/1.txt") == b"one"


def test_hidden_files_and_resource_forks_are_not_listed(place):
    extra = {"__MACOSX/set/a/._1.txt": b"", "set/.DS_Store": b"", "set/.git/x": b"", ".x": b""}
    assert open_files(place({**FILES, **extra})).names == NAMES


def test_the_root_is_found_below_other_folders_and_named_from_there(place):
    deep = {f"out/{name}": content for name, content in FILES.items()}
    path = place({**deep, "out/set/again/top.txt": b""})
    source = open_root(path, "Do this.", LAYOUT)
    assert source.read("a/1.txt") == b"one"
    assert "top.txt" in source.names


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_an_archive_beside_the_root_is_found(tmp_path, suffix):
    (write_zip if suffix == ".zip" else write_tar)(tmp_path / f"tiny{suffix}", FILES)
    assert open_root(tmp_path / "tiny", "Do this.", LAYOUT).read("a/1.txt") == b"one"


def test_the_folder_one_is_in_is_a_root(tmp_path, monkeypatch):
    monkeypatch.chdir(write_folder(tmp_path / "here", FILES))
    assert open_root(".", "Do this.", LAYOUT).read("a/1.txt") == b"one"


def test_a_folder_without_files_is_named_with_a_slash(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "1.txt").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    assert open_files(tmp_path).names == ("empty/", "full/1.txt")


def test_a_link_to_nowhere_does_not_stop_the_listing(tmp_path):
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    source = open_files(tmp_path)
    assert source.names == ("gone.png",)


def test_an_array_reads_as_netpbm_files():
    images = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    for array in (images, images[..., 0]):
        source = array_files(array)
        assert source.names == ("0", "1")
        image = Image.open(io.BytesIO(source.read("1")))
        np.testing.assert_array_equal(np.asarray(image), array[1])


def test_a_missing_root_names_what_was_tried_and_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"data\.root=.*tiny: there is none of .*tiny\.zip"):
        open_root(tmp_path / "tiny", "Do this.", LAYOUT)
    with pytest.raises(FileNotFoundError, match=r"data\.root is not set\. Do this\."):
        open_root(None, "Do this.", LAYOUT)


def test_another_layout_is_refused_with_advice(place):
    path = place({"x/other.txt": b""})
    with pytest.raises(FileNotFoundError, match=r"has another layout than this set\. Do this\."):
        open_root(path, "Do this.", LAYOUT)


@pytest.mark.parametrize("kind", ["compressed tar", "text"])
def test_a_file_that_cannot_be_read_in_any_order_is_refused(tmp_path, kind):
    path = tmp_path / "file"
    if kind == "text":
        path.write_text("no archive")
    else:
        write_tar(path, FILES, "w:gz")
    with pytest.raises(ValueError, match=r"is neither a folder, a \.zip nor an uncompressed \.tar"):
        open_files(path)


def test_a_tar_that_ends_with_a_zip_is_a_tar(tmp_path):
    inner = write_zip(tmp_path / "inner.zip", {"other.txt": b"another"}).read_bytes()
    assert open_files(write_tar(tmp_path / "set.tar", {"a.zip": inner})).names == ("a.zip",)


def test_a_link_in_a_tar_is_the_file_it_leads_to_and_one_to_nowhere_is_said(tmp_path, caplog):
    path = write_tar(tmp_path / "linked.tar", FILES)
    with tarfile.open(path, "a") as archive:
        for name, to in (("set/a/9.txt", "../b/2.txt"), ("set/0.txt", "a/9.txt"), ("x", "gone")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, to
            archive.addfile(member)
    files = open_files(path)
    assert files.names == tuple(sorted([*NAMES, "set/a/9.txt", "set/0.txt"]))
    assert files.read("set/a/9.txt") == files.read("set/0.txt") == b"two"
    assert "1 links to no file of the archive left out: x" in caplog.text
