import logging
import multiprocessing

import numpy as np
import pytest

from isplit.data import cache
from isplit.data.cache import cached


def numbers(value: int = 7) -> dict[str, np.ndarray]:
    return {"numbers": np.full(1000, value)}


def never() -> dict[str, np.ndarray]:
    raise AssertionError("was made although it was in the cache")


def test_what_was_made_once_is_read_the_second_time(tmp_path):
    cached(tmp_path, "x", [1, "a"], numbers)
    assert (cached(tmp_path, "x", [1, "a"], never)["numbers"] == 7).all()


def test_other_settings_are_another_file(tmp_path):
    cached(tmp_path, "x", [1], numbers)
    assert (cached(tmp_path, "x", [2], lambda: numbers(8))["numbers"] == 8).all()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_file_is_made_anew(tmp_path, caplog, damage):
    cached(tmp_path, "x", [1], numbers)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    match damage:
        case "cut":
            content = content[: len(content) // 2]
        case "empty":
            content = bytearray()
        case "flip":
            content[content.index(np.full(2, 7).tobytes())] ^= 1
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert (cached(tmp_path, "x", [1], numbers)["numbers"] == 7).all()
    assert "is damaged" in caplog.text
    assert (cached(tmp_path, "x", [1], never)["numbers"] == 7).all()


def test_a_cache_that_cannot_be_written_only_warns(tmp_path, caplog, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.np, "savez", full)
    assert (cached(tmp_path, "x", [1], numbers)["numbers"] == 7).all()
    assert "is not kept" in caplog.text
    assert "No space left" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_two_processes_at_once_leave_one_whole_file(tmp_path):
    context = multiprocessing.get_context("fork")
    start = context.Barrier(4)
    workers = [context.Process(target=_make, args=(tmp_path, start)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert len(list(tmp_path.iterdir())) == 1
    assert (cached(tmp_path, "x", [1], never)["numbers"] == 7).all()


def _make(folder, start) -> None:
    def both_are_here() -> dict[str, np.ndarray]:
        start.wait(20)
        return numbers()

    cached(folder, "x", [1], both_are_here)
