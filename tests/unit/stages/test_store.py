"""The store: made once, read back whole, resumed, and clear about what it cannot read."""

import json
import multiprocessing
import os
import shutil
import signal
import time

import pytest
import torch

from isplit.stages.store import Store
from isplit.stages.stored import Made

WEIGHTS = {"a": torch.arange(6.0).view(2, 3), "steps": torch.tensor(3)}


def make_nothing(folder):
    raise AssertionError("must come from the store")


def made(folder):
    return Made(WEIGHTS, {"accuracy": 0.5})


def test_a_stage_is_made_once_and_read_back_bit_for_bit(tmp_path):
    first = Store(tmp_path, {"job": 1}).get_or_make("baseline", {"x": 1}, made)
    again = Store(tmp_path, {"job": 2}).get_or_make("baseline", {"x": 1}, make_nothing)
    assert again.made.facts == {"accuracy": 0.5}
    assert all(torch.equal(again.made.weights[k], v) for k, v in WEIGHTS.items())
    assert (first.reused, again.reused) == (False, True)
    assert first.fingerprint == again.fingerprint


def test_another_recipe_is_another_stage(tmp_path):
    store = Store(tmp_path, {})
    a = store.get_or_make("baseline", {"x": 1}, made)
    b = store.get_or_make("baseline", {"x": 2}, made)
    assert a.fingerprint != b.fingerprint


def test_reused_means_by_another_job_or_an_earlier_finished_run_of_this_one(tmp_path):
    interrupted = Store(tmp_path, {"job": 1})
    interrupted.get_or_make("baseline", {}, made)
    goes_on = Store(tmp_path, {"job": 1})
    assert not goes_on.get_or_make("baseline", {}, make_nothing).reused
    goes_on.finish_job({})
    again = Store(tmp_path, {"job": 1})
    assert again.get_or_make("baseline", {}, make_nothing).reused
    assert not again.get_or_make("baseline", {"of": "a newer version"}, made).reused


def test_what_fails_leaves_nothing_finished_and_finds_its_files_again(tmp_path):
    def fails(folder):
        (folder / "last.ckpt").write_text("half way")
        raise RuntimeError("power cut")

    def goes_on(folder):
        assert (folder / "last.ckpt").read_text() == "half way"
        return made(folder)

    store = Store(tmp_path, {})
    with pytest.raises(RuntimeError, match="power cut"):
        store.get_or_make("baseline", {}, fails)
    stored = store.get_or_make("baseline", {}, goes_on)
    assert sorted(p.name for p in (tmp_path / "baseline" / stored.fingerprint).iterdir()) == [
        "stage.json",
        "weights.safetensors",
    ]


@pytest.mark.parametrize("file", ["stage.json", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b'{"job": 1', b"\x00" * 40])
def test_an_unreadable_stage_is_named_with_the_way_out(tmp_path, file, content):
    stored = Store(tmp_path, {}).get_or_make("baseline", {}, made)
    (tmp_path / "baseline" / stored.fingerprint / file).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{stored.fingerprint} cannot be read .* delete"):
        Store(tmp_path, {}).get_or_make("baseline", {}, make_nothing)


def flip_a_byte(folder, other):
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def zero_a_page(folder, other):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-16] + bytes(16))


def take_others_weights(folder, other):
    shutil.copy(other / "weights.safetensors", folder)


def take_all_of_another(folder, other):
    shutil.copytree(other, folder, dirs_exist_ok=True)


def edit_a_fact(folder, other):
    path = folder / "stage.json"
    path.write_text(path.read_text().replace("0.5", "0.9"))


@pytest.mark.parametrize(
    "damage", [flip_a_byte, zero_a_page, take_others_weights, take_all_of_another, edit_a_fact]
)
def test_a_stage_that_is_not_what_was_written_is_refused(tmp_path, damage):
    store = Store(tmp_path, {})
    stored = store.get_or_make("baseline", {}, made)
    other = store.get_or_make("baseline", {"x": 1}, lambda _: Made({"a": torch.ones(2, 3)}, {}))
    damage(*(tmp_path / "baseline" / one.fingerprint for one in (stored, other)))
    with pytest.raises(ValueError, match=r"its digest is another\): delete that folder"):
        Store(tmp_path, {}).get_or_make("baseline", {}, make_nothing)


def test_a_stage_of_an_older_version_has_no_digest_and_is_read(tmp_path):
    stored = Store(tmp_path, {}).get_or_make("baseline", {}, made)
    path = tmp_path / "baseline" / stored.fingerprint / "stage.json"
    about = json.loads(path.read_text())
    assert about.pop("digest")
    path.write_text(json.dumps(about))
    again = Store(tmp_path, {}).read("baseline", stored.fingerprint)
    assert (stored.checked, again.checked) == (True, False)
    assert again.made.facts == stored.made.facts


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_modes_follow_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        Store(tmp_path / "store", {}).get_or_make("baseline", {}, made)
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o666 & ~umask}
    assert len(files) >= 3


def test_a_store_that_cannot_be_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"paths\.store=.*file cannot be used"):
        Store(tmp_path / "file", {})


def make_slowly(root, counter, hold):
    def slow(folder):
        with counter.get_lock():
            counter.value += 1
        time.sleep(hold)
        return made(folder)

    Store(root, {"pid": os.getpid()}).get_or_make("baseline", {}, slow)


def test_processes_that_need_a_stage_at_once_make_it_once(tmp_path):
    context = multiprocessing.get_context("fork")
    counter = context.Value("i", 0)
    crowd = [context.Process(target=make_slowly, args=(tmp_path, counter, 0.3)) for _ in range(8)]
    for process in crowd:
        process.start()
    for process in crowd:
        process.join(30)
    assert [process.exitcode for process in crowd] == [0] * 8
    assert counter.value == 1


def test_a_maker_that_is_killed_lets_the_next_one_make_it(tmp_path):
    context = multiprocessing.get_context("fork")
    counter = context.Value("i", 0)
    victim = context.Process(target=make_slowly, args=(tmp_path, counter, 60))
    victim.start()
    while counter.value == 0:
        time.sleep(0.01)
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    make_slowly(tmp_path, counter, 0)
    assert counter.value == 2
