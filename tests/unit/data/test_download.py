import contextlib
import hashlib
import http.server
import io
import stat
import tarfile
import threading
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pictures import class_folders, png, write_folder, write_tar, write_zip

from isplit.data import build_data
from isplit.data import download as module
from isplit.data.download import Download, extract, fetch

FILES = {f"set/{name}": content for name, content in class_folders("train/", "ab", 30).items()}


@dataclass
class Site:
    """A real web server for one folder; ``cut`` ends each answer after so many bytes."""

    url: str
    folder: Path
    cut: int | None = None
    ranges: bool = True
    requested: list[str] = field(default_factory=list)


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        site: Site = self.server.site
        path = site.folder / self.path.lstrip("/")
        if not path.exists():
            self.send_error(404)
            return
        content = path.read_bytes()
        wanted = self.headers["Range"]
        site.requested.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if site.ranges else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if site.ranges else 200)
        if site.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: site.cut])

    def log_message(self, *_: object) -> None:
        """Nothing on the test's output."""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "site").mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.site = Site(f"http://127.0.0.1:{server.server_port}", tmp_path / "site")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.site
        server.shutdown()
        thread.join()


@pytest.fixture
def offered(site):
    """A zip archive on the site, as a download with its true hash."""
    path = write_zip(site.folder / "set.zip", FILES)
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    return Download((f"{site.url}/set.zip",), "set.zip", f"md5:{digest}", path.stat().st_size)


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def has_all_files(root: Path) -> bool:
    return files_below(root) == {name.removeprefix("set/"): c for name, c in FILES.items()}


def test_a_whole_download_is_unpacked_and_not_asked_for_again(site, offered, tmp_path):
    root = tmp_path / "data" / "mine"
    fetch(offered, root)
    assert has_all_files(root)
    fetch(offered, root)
    assert site.requested == ["bytes=0-"]
    assert sorted(p.name for p in root.parent.iterdir()) == [".mine.lock", "mine", "set.zip"]


def test_an_interrupted_download_goes_on_where_it_broke_off(site, offered, tmp_path):
    site.cut = offered.size_bytes // 3 + 1
    fetch(offered, tmp_path / "mine", wait_s=0)
    assert has_all_files(tmp_path / "mine")
    assert site.requested == [f"bytes={n * site.cut}-" for n in range(3)]


def test_what_has_arrived_is_kept_for_the_next_run(site, offered, tmp_path):
    site.cut = 100
    with pytest.raises(FileNotFoundError, match=r"set\.zip could not be fetched; run again to go"):
        fetch(offered, tmp_path / "mine", wait_s=0)
    assert (tmp_path / "set.zip.part").stat().st_size == 100 * module.ATTEMPTS
    assert not (tmp_path / "mine").exists()
    site.cut = None
    fetch(offered, tmp_path / "mine", wait_s=0)
    assert has_all_files(tmp_path / "mine")
    assert site.requested[-1] == f"bytes={100 * module.ATTEMPTS}-"
    assert not (tmp_path / "set.zip.part").exists()


def test_a_server_without_ranges_sends_everything_again(site, offered, tmp_path):
    (tmp_path / "set.zip.part").write_bytes(b"x" * 50)
    site.ranges = False
    fetch(offered, tmp_path / "mine", wait_s=0)
    assert has_all_files(tmp_path / "mine")


def test_a_part_that_is_already_whole_is_only_checked(site, offered, tmp_path):
    (tmp_path / "set.zip.part").write_bytes((site.folder / "set.zip").read_bytes())
    fetch(offered, tmp_path / "mine", wait_s=0)
    assert has_all_files(tmp_path / "mine")


def test_a_wrong_checksum_is_refused_and_nothing_of_it_stays(site, offered, tmp_path):
    wrong = Download(offered.urls, "set.zip", "md5:" + "0" * 32, offered.size_bytes)
    with pytest.raises(FileNotFoundError, match=r"does not match the known hash"):
        fetch(wrong, tmp_path / "mine", wait_s=0)
    assert {p.name for p in tmp_path.iterdir()} == {"site", ".mine.lock"}


def test_a_damaged_part_is_thrown_away_so_that_the_next_run_succeeds(site, offered, tmp_path):
    (tmp_path / "set.zip.part").write_bytes(b"x" * 50)
    with pytest.raises(FileNotFoundError, match=r"does not match the known hash"):
        fetch(offered, tmp_path / "mine", wait_s=0)
    fetch(offered, tmp_path / "mine", wait_s=0)
    assert has_all_files(tmp_path / "mine")


def test_the_second_address_is_tried_and_every_failure_told(site, offered, tmp_path):
    (site.folder / "parked.html").write_text("buy this domain")
    urls = (f"{site.url}/gone.zip", f"{site.url}/parked.html")
    with pytest.raises(FileNotFoundError) as caught:
        fetch(Download(urls, "set.zip", offered.known_hash, 1), tmp_path / "mine", wait_s=0)
    assert all(url in str(caught.value) for url in urls)
    assert "404" in str(caught.value)
    assert str(tmp_path / "set.zip") in str(caught.value)
    both = Download((*urls, *offered.urls), "set.zip", offered.known_hash, 1)
    fetch(both, tmp_path / "mine", wait_s=0)
    assert has_all_files(tmp_path / "mine")


def test_two_at_once_fetch_once(site, offered, tmp_path):
    threads = [threading.Thread(target=fetch, args=(offered, tmp_path / "m")) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert has_all_files(tmp_path / "m")
    assert site.requested == ["bytes=0-"]


@pytest.mark.parametrize("name", ["notmnist", "tiny_imagenet"])
def test_data_download_fetches_a_set_that_is_not_there(
    site, tmp_path, keys, monkeypatch, name, request
):
    files = {
        "notmnist": class_folders("notMNIST_small/", "ABCDEFGHIJ", 10),
        "tiny_imagenet": {
            "tiny/wnids.txt": b"n1\nn2\n",
            "tiny/words.txt": b"n1\tox\nn2\tbat\n",
            **{
                f"tiny/train/n{k}/images/{n}.JPEG": png(n + 9 * k) for k in (1, 2) for n in range(9)
            },
            **{f"tiny/val/images/v{k}.JPEG": png(99 + k) for k in (1, 2)},
            "tiny/val/val_annotations.txt": b"v1.JPEG\tn1\t0\t0\t1\t1\nv2.JPEG\tn2\t0\t0\t1\t1\n",
        },
    }[name]
    path = write_tar(site.folder / "set.tar.gz", files, "w:gz")
    known_hash = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    offer = Download((f"{site.url}/set.tar.gz",), "set.tar.gz", known_hash, path.stat().st_size)
    monkeypatch.setattr(f"isplit.data.{name}.DOWNLOAD", offer)
    data = build_data(name, **{**keys, "root": tmp_path / "data" / name, "download": True})
    assert data.size("test") == {"notmnist": 20, "tiny_imagenet": 2}[name]


def hostile(kind: str, path: Path) -> Path:
    """An archive with one good file and one that leads outside."""
    if kind.startswith("zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("set/good.txt", "good")
            member = zipfile.ZipInfo(
                {
                    "zip parent": "set/../../../evil.txt",
                    "zip absolute": "/tmp/evil.txt",
                    "zip backslash": "..\\..\\evil.txt",
                    "zip drive": "C:/evil.txt",
                    "zip link": "set/link",
                }[kind]
            )
            if kind == "zip link":
                member.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(member, "../../evil.txt")
        return path
    with tarfile.open(path, "w:gz") as archive:
        good = tarfile.TarInfo("set/good.txt")
        archive.addfile(good, io.BytesIO())
        member = tarfile.TarInfo("../evil.txt" if kind == "tar parent" else "set/evil")
        if kind == "tar link":
            member.type, member.linkname = tarfile.SYMTYPE, "../../../evil.txt"
        if kind == "tar hard link":
            member.type, member.linkname = tarfile.LNKTYPE, "../../evil.txt"
        if kind == "tar device":
            member.type = tarfile.CHRTYPE
        archive.addfile(member, io.BytesIO())
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "zip parent",
        "zip absolute",
        "zip backslash",
        "zip drive",
        "zip link",
        "tar parent",
        "tar link",
        "tar hard link",
        "tar device",
    ],
)
def test_nothing_of_an_archive_lands_outside(tmp_path, kind):
    archive = hostile(kind, tmp_path / "hostile")
    outside = contextlib.suppress(tarfile.FilterError)  # zipfile makes names relative instead
    with outside:
        extract(archive, tmp_path / "inner" / "set")
    allowed = tmp_path / "inner" / "set"
    assert all(allowed in path.parents for path in tmp_path.rglob("evil*"))
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))
    assert allowed.exists() == kind.startswith("zip")


@pytest.mark.parametrize("single", [True, False])
def test_a_single_top_folder_becomes_the_folder_itself(tmp_path, single):
    files = {f"only/{n}": c for n, c in FILES.items()} if single else {**FILES, "readme.txt": b"x"}
    extract(write_tar(tmp_path / "x.tar.gz", files, "w:gz"), tmp_path / "out")
    expected = {n.removeprefix("only/"): c for n, c in files.items()}
    assert files_below(tmp_path / "out") == expected


def test_an_archive_cut_short_leaves_no_folder(tmp_path):
    archive = write_tar(tmp_path / "x.tar.gz", FILES, "w:gz")
    archive.write_bytes(archive.read_bytes()[:-50])
    with pytest.raises(EOFError):
        extract(archive, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["x.tar.gz"]


def test_files_that_are_there_are_never_touched(site, offered, tmp_path):
    root = write_folder(tmp_path / "mine", {"a.txt": b"mine"})
    fetch(offered, root)
    assert site.requested == []
    assert files_below(root) == {"a.txt": b"mine"}
