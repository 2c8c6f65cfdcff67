"""Several designs on one device: the choice by made frames, and by a server behind a slow link."""

import json
import logging
import os
import random
import re
import time
import tomllib
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("grpc", reason="the extra serve is not installed")
pytest.importorskip("tritonclient", reason="the extra serve is not installed")
from conftest import renamed
from isplit_edge.expected import FIRST, Expected, Way
from serving import ROOT
from shaped import Shaped

from isplit.deploy.manifest import HEAD, MANIFEST, NET, read_export
from isplit.matching import match
from isplit.network import Arrival, Channel, Setting, Work, simulate
from isplit.requirements import Design, Requirement

ROUND_TRIP_S, DEADLINE_S = 0.01, 0.1
WAYS = {  # accuracy, seconds here, bytes, seconds of the server
    "deep": (0.85, 0.03, 500, 0.002),
    "early": (0.9, 0.005, 40_000, 0.01),
    "device": (0.8, 0.05, 0, 0.0),
}


def took(name, rate_bit_s, load=1.0):
    """The formula by hand: seconds here, bytes, seconds of link and server."""
    _, here_s, size, server_s = WAYS[name]
    link_s = ROUND_TRIP_S + 8 * size / rate_bit_s if size else 0.0
    return here_s * load, size, link_s, server_s


def played(rates, noise=0.0, seed=0, loads=(), **asked):
    """The design in use at each frame, and documents of the choice."""
    from isplit_edge.choice import Choice

    rng = random.Random(seed)
    ways = [Way(name, one[0], local=name == "device") for name, one in WAYS.items()]
    choice = Choice(ways, Requirement(p95_ms=1000 * DEADLINE_S, **asked))
    for _ in range(FIRST):
        choice.saw("device", *took("device", 1.0))
    used, said = [], []
    for number, rate_bit_s in enumerate(rates):
        name = choice.next()
        here_s, size, link_s, server_s = took(name, rate_bit_s, loads[number] if loads else 1.0)
        link_s *= rng.lognormvariate(0, noise)
        if size and here_s + link_s + server_s > DEADLINE_S:
            link_s = 2 * DEADLINE_S
        choice.saw(name, here_s * rng.lognormvariate(0, noise), size, link_s, server_s)
        used.append(choice.used)
        said.append(choice.document())
    return used, said


def matched(rate_bit_s, **asked):
    """What ``match`` takes where everything is known."""
    designs = [
        Design(name, "LC" if name == "device" else "SC", accuracy=one[0], p95_ms=1000 * total_s)
        for name, one in WAYS.items()
        for here_s, _, link_s, server_s in [took(name, rate_bit_s)]
        for total_s in [here_s + link_s + server_s]
    ]
    found = match(designs, Requirement(p95_ms=1000 * DEADLINE_S, **asked))
    return [*found.ranked, *(rejection.design for rejection in found.rejected)][0].name


@pytest.mark.parametrize("asked", [{}, {"accuracy": 0.84}, {"accuracy": 0.7}])
@pytest.mark.parametrize("rate_bit_s", [1e8, 2e7, 1e6, 1e5, 5e4])
def test_what_is_taken_is_what_match_takes_where_all_is_known(rate_bit_s, asked):
    used, said = played([rate_bit_s] * 30, **asked)
    assert used[-1] == matched(rate_bit_s, **asked)
    assert set(used) == {None, used[-1]}
    sent = [one["design"] for one in said]
    assert sent[:6] == ["deep"] * FIRST + ["early"] * FIRST


def test_rate_round_trip_and_times_are_those_of_the_formula():
    _, said = played([2e7] * 8)
    assert said[-1]["rate_bit_s"] == pytest.approx(2e7)
    assert said[-1]["round_trip_s"] == pytest.approx(ROUND_TRIP_S)
    for name, ms in said[-1]["p95_ms"].items():
        here_s, _, link_s, server_s = took(name, 2e7)
        assert ms == pytest.approx(1000 * (here_s + link_s + server_s))


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
@pytest.mark.parametrize(("slow", "then"), [(1e6, "deep"), (1e4, "device")])
def test_a_link_that_gets_slow_and_fast_again(noise, slow, then):
    used, said = played([1e8] * 60 + [slow] * 60 + [1e8] * 90, noise, seed=1)
    assert (used[59], used[119], used[-1]) == ("early", then, "early")
    assert used.index("deep") <= 68  # three frames that were late, and five in a row
    tried = [one for one in said if one["why"].startswith("tried")]
    assert {one["design"] for one in tried} <= {"early", "deep"}
    assert any("leads for 2 of 5 frames" in one["why"] for one in said)


@pytest.mark.parametrize("seed", range(3))
def test_noise_about_the_deadline_does_not_make_it_flap(seed):
    just = 8 * 40_000 / (DEADLINE_S - ROUND_TRIP_S - 0.015)  # "early" takes the deadline
    used, _ = played([just] * 300, 0.2, seed)
    assert sum(a != b for a, b in pairwise(used[6:])) <= 3
    assert sum(a != b for a, b in pairwise(used[150:])) <= 1


def test_a_busy_device_leaves_the_work_to_the_server():
    loads = [1.0] * 30 + [2.5] * 40
    used, said = played([2e6] * 70, loads=loads)
    assert (used[29], used[-1]) == ("deep", "deep")
    assert said[-1]["load"] == pytest.approx(2.5)
    used, _ = played([1e7] * 70, loads=loads, accuracy=0.7)
    assert (used[29], used[-1]) == ("deep", "early")


def test_times_are_those_of_the_simulator():
    """Frames apart on a clean link, a payload within TCP's first window: the same sum."""
    for rate, size in ((1e7, 500), (1e7, 12_000), (1e6, 4000)):
        work = Work(device_s=0.03, encode_s=0.0, payload_bytes=size, decode_s=0.0, server_s=0.01)
        channel = Channel(up_bit_s=rate, down_bit_s=rate, round_trip_s=0.02)
        real = simulate(Setting(work, Arrival(rate_hz=2), channel), 20).mean_s
        expected, way = Expected(), Way("one", 0.9)
        expected.round_trip_s, expected.s_per_byte = 0.02, 8 / rate
        way.first_s.append(0.03)
        way.newest.append((0, size, 0.0, 0.01))
        assert expected.mean_s(way) == pytest.approx(real, rel=0.06)


def test_a_real_link_that_gets_slow_dead_and_fast_again(
    design_folder, server, pixels, tmp_path, caplog
):
    from isplit_edge import AdaptiveDevice

    link, folder, log = Shaped(server.port, 1e8), tmp_path / "designs", tmp_path / "log.csv"
    renamed(design_folder / "small", folder / "small")
    renamed(design_folder / "big", folder / "big")
    renamed(design_folder / "big", folder / "unserved", name="unserved")
    renamed(design_folder / "big", folder / "damaged", name="damaged")
    (folder / "damaged" / HEAD).write_bytes(b"other")
    renamed(design_folder / "big", folder / "other", name="other", class_names=["x"])
    small, big = (read_export(folder / name, []).name for name in ("small", "big"))
    seen = {}
    with AdaptiveDevice(folder, f"127.0.0.1:{link.port}", deadline_s=0.8, log=log) as device:
        # slow: the big one misses the deadline by a little, so that what it left is soon gone
        phases = ("fast", 1e8, 20), ("slow", 1.13e4, 30), ("dead", 200, 14), ("again", 1e8, 90)
        for phase, bit_s, frames in phases:
            link.bit_s = bit_s
            for number in range(frames):
                device.answer(pixels[number % len(pixels)])
                time.sleep(0.02)
            seen[phase] = device._choice.used
    link.stop()
    assert seen == {"fast": big, "slow": small, "dead": "device", "again": big}
    left_out = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    for why in ("head.onnx is not the file", "other classes", "unserved: the server refuses"):
        assert sum(why in line for line in left_out) == 1
    lines = [json.loads(line) for line in (tmp_path / "log.choices.jsonl").open()]
    assert len(lines) == 154 + 1  # one for the frame that was refused and began again
    assert {"frame", "design", "why", "rate_bit_s", "round_trip_s", "load", "p95_ms"} <= set(
        lines[9]
    )
    slow = [line["rate_bit_s"] for line in lines[41:51]]
    assert 3e3 < np.median(slow) < 3e4
    assert len(log.read_text().splitlines()) == 1 + 154


def test_sets_that_are_none_and_options_that_do_not_go_together(
    design_folder, tmp_path, capsys, server
):
    from isplit_edge import AdaptiveDevice, RefusedError
    from isplit_edge.__main__ import main

    words = ["run", os.fspath(design_folder), "--images", os.fspath(tmp_path)]
    assert main([*words, "--server", "127.0.0.1:9"]) == 1
    assert "--adapt" in capsys.readouterr().err
    renamed(design_folder / "big", tmp_path / "set" / "one", name="unserved")
    where = f"127.0.0.1:{server.port}"
    device = AdaptiveDevice(tmp_path / "set", where, fallback=False, deadline_s=20)
    with device, pytest.raises(RefusedError, match="no model 'unserved'"):
        device.answer(np.zeros((32, 32, 3), np.uint8))
    (tmp_path / "set" / "one" / NET).write_bytes(b"other")
    with pytest.raises(ValueError, match="holds no whole export of isplit"):
        AdaptiveDevice(tmp_path / "set", "127.0.0.1:9")
    with pytest.raises(ValueError, match=r"requirement.accuracy=1.5 is above 1"):
        AdaptiveDevice(design_folder, "127.0.0.1:9", min_accuracy=1.5)


def test_the_command_writes_a_set(run_folder, written_nets, tmp_path, capsys):
    from isplit.deploy.__main__ import main

    words = ["export", *[os.fspath(run_folder)] * 2, "--images", "4"]
    assert main([*words]) == 1
    assert "several runs need --out" in capsys.readouterr().err
    assert main([*words, "--out", os.fspath(tmp_path)]) == 0
    names = [read_export(path, [HEAD, NET]).name for path in sorted(tmp_path.iterdir())]
    assert names == [path.name for path in sorted(tmp_path.iterdir())]
    assert names == ["tiny-net-mid", "tiny-net-mid+2"]
    about = json.loads((tmp_path / names[0] / MANIFEST).read_text())
    assert 0 <= about["checked"]["accuracy_whole"] <= 1


def test_the_wheel_of_the_device_has_what_it_imports():
    """The modules of isplit that the device needs, and those that they need, are in its wheel."""
    text = (ROOT / "edge" / "pyproject.toml").read_text()
    include = tomllib.loads(text)["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    places = {to.removesuffix(".py").removesuffix("/__init__") for to in include.values()}
    files = [ROOT / "edge" / source for source in include if source.endswith(".py")]
    for path in [*files, *(ROOT / "edge" / "src" / "isplit_edge").glob("*.py")]:
        for name in re.findall(r"^from (isplit\.[\w.]+) import", path.read_text(), re.M):
            assert name.replace(".", "/") in places, f"{path.name} imports {name}"
