"""Presets by name, with Hydra and without; a link measured with the peer at the other end."""

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import fields

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from isplit.files import conf_folder
from isplit.network import Channel, load_channel
from isplit.network.__main__ import main
from isplit.network.measure import _burst, _echoes, _rate, measure
from isplit.network.peer import peer
from isplit.presets import preset_names, save_preset

OPEN = {"starlink": {"up_bit_s": 1e7, "down_bit_s": 1e8}, "nbiot": {"down_bit_s": 264}}


@pytest.mark.parametrize("name", preset_names("channel"))
def test_a_preset_says_its_sources_and_is_the_same_through_hydra(name):
    preset = load_channel(name, **OPEN.get(name, {}))
    assert preset.name == name
    words = preset.source
    assert "round_trip_s:" in words
    assert "rates:" in words or "up_bit_s" in words
    assert (preset.loss, preset.burst_packets) == (0, None)  # swept, not invented
    given = [f"channel.{key}={value}" for key, value in OPEN.get(name, {}).items()]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = compose(overrides=[f"+channel={name}", *given]).channel
    assert set(composed) == {field.name for field in fields(Channel)}
    assert Channel(**composed) == preset


@pytest.mark.parametrize("name", sorted(OPEN))
def test_what_no_source_says_must_be_given(name):
    with pytest.raises(ValueError, match=r"channel\..*_bit_s must be given: no source says it"):
        load_channel(name)


def test_exponents_are_numbers_as_hydra_reads_them(tmp_path):
    file = tmp_path / "office.yaml"
    file.write_text("up_bit_s: 1e6\ndown_bit_s: 2.5E+6\nround_trip_s: 1e-2\nname: 1e5x\n")
    channel = load_channel(str(file))
    assert (channel.up_bit_s, channel.down_bit_s, channel.round_trip_s) == (1e6, 2.5e6, 0.01)
    assert channel.name == "1e5x"


def test_figures_take_the_place_of_the_presets():
    assert load_channel("lte", loss=0.02, burst_packets=3.0).loss == 0.02


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("up_bit_s: 1000000\n", r"channel\.down_bit_s must be given: no source says it"),
        ("speed: 3\n", r"channel\.speed is unknown; known are up_bit_s"),
        ("- 1\n", "does not hold keys and values"),
        ("a: [\n", "is not YAML"),
        (
            "up_bit_s: fast\ndown_bit_s: 1\nround_trip_s: 1\n",
            r"channel\.up_bit_s='fast' is not within 1 and 1e\+15",
        ),
    ],
)
def test_a_broken_file_is_refused(text, words, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        load_channel(str(path))


def test_an_unknown_name_is_refused():
    with pytest.raises(
        ValueError, match="channel='wlan' is neither a file nor one of 5g, ethernet"
    ):
        load_channel("wlan")


def test_a_channel_comes_back_from_its_file(tmp_path):
    channel = Channel(1e6, 2.5e-3 + 1e6, 1e-5, loss=1e-6, source="here: a, b")
    save_preset(channel, tmp_path / "own.yaml")
    assert load_channel(str(tmp_path / "own.yaml")) == channel


def test_numbers_of_numpy_are_numbers(tmp_path):
    channel = Channel(np.float64(1e6), np.float32(5), 0, mtu_bytes=np.int64(900))
    save_preset(channel, tmp_path / "own.yaml")
    assert load_channel(str(tmp_path / "own.yaml")) == channel


def test_the_loopback_is_measured_as_a_fast_link_without_loss():
    with peer("127.0.0.1", 0) as port:
        seen = measure("127.0.0.1", port, seconds=0.3, packets=50)
    assert min(seen.up_bit_s, seen.down_bit_s) > 1e8
    assert seen.round_trip_s < 0.01
    assert seen.loss == 0
    assert "queue was not measured" in seen.source


def test_the_command_writes_a_file_that_can_be_loaded(tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    with peer("127.0.0.1", 0) as port:
        words = ["measure", "127.0.0.1", "--port", str(port), "--seconds", "0.2", "--packets", "20"]
        assert main([*words, "--out", str(path)]) == 0
        assert main([*words, "--out", str(path)]) == 0
    assert load_channel(str(path)).name == "measured"
    assert "written" in capsys.readouterr().out


def test_a_link_without_a_peer_is_an_error_in_words(tmp_path, capsys):
    with peer("127.0.0.1", 0) as port:
        pass
    words = ["measure", "127.0.0.1", "--port", str(port), "--out", str(tmp_path / "no.yaml")]
    assert main(words) == 1
    assert f"no peer answers at 127.0.0.1 port {port}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@contextlib.contextmanager
def slow_echo(bit_s, delay_s):
    """Echoes of UDP packets that passed a link of this rate, one after the other; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 0))
        free_s, listens = 0.0, socket.create_server(link.getsockname())

        def answer():
            nonlocal free_s
            with contextlib.suppress(OSError):
                while True:
                    packet, who = link.recvfrom(2000)
                    now_s = time.monotonic()
                    free_s = max(free_s, now_s) + 8 * (len(packet) + 28) / bit_s
                    timer = threading.Timer(
                        free_s - now_s + delay_s, link.sendto, (packet[:8], who)
                    )
                    timer.daemon = True
                    timer.start()

        threading.Thread(target=answer, daemon=True).start()
        with listens:
            yield link.getsockname()[1]


@pytest.mark.parametrize(("delay_s", "packets"), [(0.02, 60), (1.2, 20)])
def test_the_measurement_does_not_load_the_link_it_measures(monkeypatch, delay_s, packets):
    """At 1 Mbit/s a packet takes 9.8 ms, which are no part of the round trip of an empty one."""
    monkeypatch.setattr("isplit.network.measure._rate", lambda *_: 1_000_000)
    with slow_echo(1e6, delay_s) as port:
        seen = measure("127.0.0.1", port, 1.0, packets)
    assert seen.round_trip_s == pytest.approx(delay_s, abs=0.004)
    assert seen.jitter_s < 0.005  # of this machine; 0.1 and more where packets queue
    assert seen.loss == 0


@contextlib.contextmanager
def narrow(port, bit_s):
    """A way to a port on which all connections together carry so much each way; its own port."""
    turns = threading.Lock(), threading.Lock()

    def carry(source, target, turn):
        with contextlib.suppress(OSError):
            while part := source.recv(2048):
                with turn:
                    time.sleep(8 * len(part) / bit_s)
                target.sendall(part)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                near = listens.accept()[0]
                far = socket.create_connection(("127.0.0.1", port))
                for ends in ((near, far, turns[0]), (far, near, turns[1])):
                    threading.Thread(target=carry, args=ends, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listens:
        threading.Thread(target=accept, daemon=True).start()
        yield listens.getsockname()[1]


@pytest.mark.parametrize("way", ["up", "down"])
def test_the_rate_of_a_slow_link_is_what_all_streams_carry_at_the_same_time(way):
    """Their first packets alone take longer than the measurement."""
    begun_s = time.monotonic()
    with peer("127.0.0.1", 0) as far, narrow(far, 1e6) as port:
        assert _rate("127.0.0.1", port, 1.0, way) == pytest.approx(1e6, rel=0.3)
    assert time.monotonic() - begun_s < 10


def test_packets_go_to_the_address_of_a_name_that_answers(monkeypatch):
    known = socket.getaddrinfo

    def both(host, port, *more, **how):
        if host != "board":
            return known(host, port, *more, **how)
        kind = how.get("type") or (more[1:] or [socket.SOCK_STREAM])[0]
        sixth = (socket.AF_INET6, kind, 0, "", ("::1", port, 0, 0))
        return [sixth, *known("127.0.0.1", port, type=kind)]

    monkeypatch.setattr("socket.getaddrinfo", both)
    with peer("127.0.0.1", 0) as port:
        assert None not in _echoes("board", port, 3, 0.001)


def test_what_no_byte_passes_is_said():
    with (
        peer("127.0.0.1", 0) as port,
        pytest.raises(ValueError, match="nothing came down in 1e-06 s"),
    ):
        _rate("127.0.0.1", port, 1e-6, "down")


@pytest.mark.parametrize(("seconds", "packets"), [(0, 5), (100, 5), (float("nan"), 5), (1, 0)])
def test_a_measurement_that_cannot_be_is_refused(seconds, packets):
    with pytest.raises(ValueError, match=r"seconds=.* is not within 0 and 60, or packets="):
        measure("127.0.0.1", 1, seconds, packets)


def test_a_link_that_lets_no_udp_through_is_an_error_in_words(monkeypatch):
    monkeypatch.setattr("isplit.network.measure._echoes", lambda *_: [None, None])
    with peer("127.0.0.1", 0) as port, pytest.raises(ValueError, match="no UDP packet came back"):
        measure("127.0.0.1", port, seconds=0.1, packets=2)


@pytest.mark.parametrize("loss", [0.0, 0.01, 0.05, 0.3])
def test_packets_are_sent_until_the_loss_is_known_to_a_quarter(monkeypatch, loss):
    rng, sent = np.random.default_rng(0), []

    def echoes(_host, _port, packets, _pause_s):
        sent.append(packets)
        return [None if rng.random() > (1 - loss) ** 2 else 0.01 for _ in range(packets)]

    monkeypatch.setattr("isplit.network.measure._echoes", echoes)
    with peer("127.0.0.1", 0) as port:
        seen = measure("127.0.0.1", port, seconds=0.5, packets=100)
    assert seen.loss == pytest.approx(loss, rel=0.25)
    low, high = (float(x) / 100 for x in re.findall(r"([\d.]+)%", seen.source)[:2])
    assert low <= seen.loss <= high
    assert high - low < 0.55 * loss or not loss
    assert sum(sent) <= (100 if not loss else 7000)


def test_a_link_that_loses_next_to_nothing_is_not_measured_for_ever(monkeypatch):
    def echoes(_host, _port, packets, _pause_s):
        return [None, *[0.01] * (packets - 1)]

    monkeypatch.setattr("isplit.network.measure._echoes", echoes)
    with peer("127.0.0.1", 0) as port:
        source = measure("127.0.0.1", port, seconds=0.5, packets=2000).source
    assert " 20000 UDP packets" in source


@pytest.mark.parametrize(
    ("lost", "burst"), [((), None), (range(0, 500, 20), None), (range(300, 340), 40.0)]
)
def test_bursts_are_told_from_single_losses(lost, burst):
    assert _burst([None if number in lost else 0.01 for number in range(500)]) == burst


@pytest.mark.parametrize(
    "line", [b"steal\n", b"down 0 1e99\n", b"up 0 1e99\n", b"down\n", b"\xff\n", b"x" * 100]
)
def test_a_peer_gives_nothing_to_who_asks_wrongly(line):
    with peer("127.0.0.1", 0) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(line)
            with contextlib.suppress(ConnectionResetError):  # closed with our bytes unread
                assert connection.recv(10) == b""
        assert measure("127.0.0.1", port, seconds=0.1, packets=5).loss == 0


def test_the_room_imports_with_numpy_simpy_and_scipy_alone():
    code = """
import importlib, pkgutil, sys
allowed = {"numpy", "simpy", "scipy", "isplit"}
class Only:
    def find_spec(self, name, path=None, target=None):
        first = name.partition(".")[0]
        if first not in allowed | sys.stdlib_module_names | {"_distutils_hack"}:
            raise ImportError(f"{name} is not to be imported")
sys.meta_path.insert(0, Only())
import isplit.network as room
for module in pkgutil.iter_modules(room.__path__, "isplit.network."):
    importlib.import_module(module.name)
others = {name.split(".")[1] for name in sys.modules if name.startswith("isplit.")}
assert others == {"network", "presets", "files"}, others
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("words", [["measure", "127.0.0.1"], ["serve"]])
@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_port_that_is_none_is_refused(words, port, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([*words, f"--port={port}"])
    assert f"--port={port} is no port: 0 to 65535" in capsys.readouterr().err
