"""Transfers against closed forms, and remembered ones against a connection simulated throughout."""

import csv
import math
import statistics
from pathlib import Path

import numpy as np
import pytest

from isplit.network import Channel, Tcp, connect, transfer
from isplit.network.congestion import Cubic, Reno
from isplit.network.setting import Ready
from isplit.network.tcp import Transfers, stream

SEGMENT, HEADERS = 1448, 52
MEASURED = Path(__file__).parents[4] / "shared" / "data" / "tcp_transfers.csv"


def channel(rate=1e8, round_trip_s=0.05, **more):
    return Channel(up_bit_s=rate, down_bit_s=rate, round_trip_s=round_trip_s, **more)


@pytest.mark.parametrize("payload_bytes", [1, 1448, 1449, 10_000, 14_480])
@pytest.mark.parametrize("rate", [1e5, 1e7, 1e9])
def test_what_fits_the_first_window_takes_its_bits_and_half_a_round_trip(payload_bytes, rate):
    segments = math.ceil(payload_bytes / SEGMENT)
    expected_s = (payload_bytes + segments * HEADERS) * 8 / rate + 0.025
    made = transfer(connect(channel(rate), Tcp()), payload_bytes)
    assert made.delivered_s == pytest.approx(expected_s, rel=1e-9)
    if rate > 1e6:  # on a slower link the tail is probed before its acknowledgement can be there
        assert made.wire_bytes == payload_bytes + segments * HEADERS


@pytest.mark.parametrize("segments", [11, 30, 31, 70, 71, 500])
@pytest.mark.parametrize("window", [1, 4, 10])
def test_slow_start_doubles_each_round_trip(segments, window):
    tcp = Tcp(initial_window=window, hystart=False, delayed_ack_s=1e-6)
    made = transfer(connect(channel(1e13, 0.1), tcp), segments * SEGMENT)
    rounds = math.ceil(math.log2(segments / window + 1))
    assert made.delivered_s == pytest.approx(rounds * 0.1 - 0.05, abs=1e-3)


@pytest.mark.parametrize("control", ["cubic", "reno"])
@pytest.mark.parametrize("size", [2_000_000, 10_000_000])
def test_a_long_transfer_takes_the_rate_of_the_link(control, size):
    made = transfer(connect(channel(1e7, 0.02, queue_bytes=60_000), Tcp(control)), size)
    bits = (size + math.ceil(size / SEGMENT) * HEADERS) * 8
    assert bits / 1e7 < made.delivered_s < 1.05 * bits / 1e7


def test_cubic_follows_its_curve():
    cubic, cwnd, acks = Cubic(), 1000, 0
    cwnd = cubic.reduced(cwnd)
    assert cwnd == 700
    for tick in range(1, 100):
        every = cubic.acks_per_segment(cwnd, cwnd, tick * 0.1, 0.1)
        more, acks = divmod(acks + cwnd, every)
        cwnd += more
        curve = 0.4 * (tick * 0.1 - 0.1 - math.cbrt(300 / 0.4)) ** 3 + 1000
        if tick > 2:
            assert cwnd == pytest.approx(curve, abs=12)  # a step behind, at most


def test_reno_halves_and_grows_by_one():
    assert Reno().reduced(41) == 20
    assert Reno().acks_per_segment(41, 1, 0.0, 0.1) == 41


@pytest.mark.parametrize("gap_s", [0.0, 0.2, 0.6, 1.0, 3.0])
def test_an_idle_connection_halves_its_window_for_each_timeout(gap_s):
    first = transfer(connect(channel(1e13, 0.05), Tcp()), 277 * SEGMENT)
    after, window = first.after, first.after.sender.window.size
    idle_s = first.quiet_s - first.last_sent_s + gap_s
    second = transfer(after, 277 * SEGMENT, write_s=after.now_s + gap_s)
    halvings = max(0, math.ceil(idle_s / after.timeout_s) - 1) if idle_s > after.timeout_s else 0
    for _ in range(halvings):
        window = max(window // 2, 10) if window > 10 else window
    rounds = math.ceil(math.log2(277 / window + 1))
    assert second.delivered_s == pytest.approx(rounds * 0.05 - 0.025, abs=2e-3)


def test_without_idle_restart_the_window_stays():
    first = transfer(connect(channel(1e13), Tcp(idle_restart=False)), 277 * SEGMENT)
    second = transfer(first.after, 277 * SEGMENT, write_s=100.0)
    assert second.delivered_s == pytest.approx(0.025, abs=1e-3)


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.4])
@pytest.mark.parametrize("more", [{}, {"burst_packets": 4}, {"jitter_s": 0.01}])
@pytest.mark.parametrize("control", ["cubic", "reno"])
def test_everything_arrives_whatever_is_lost(loss, more, control):
    for seed in range(5):
        made = transfer(connect(channel(loss=loss, **more), Tcp(control)), 40_000, seed=seed)
        again = transfer(connect(channel(loss=loss, **more), Tcp(control)), 40_000, seed=seed)
        assert made.delivered_s == again.delivered_s
        assert made.quiet_s >= made.delivered_s
        assert made.after.quiet
        assert made.after.receiver.expected == math.ceil(40_000 / SEGMENT)


def test_without_fast_retransmit_losses_cost_timeouts():
    def times(tcp):
        way = channel(1e8, 0.005, loss=0.03)
        return [transfer(connect(way, tcp), 80_000, seed=seed).delivered_s for seed in range(60)]

    quick, slow = times(Tcp()), times(Tcp(fast_retransmit=False))
    assert statistics.fmean(slow) > 0.1 + statistics.fmean(quick)
    assert min(quick) == pytest.approx(min(slow))


def test_losses_slow_a_transfer_down():
    means = [
        statistics.fmean(
            transfer(connect(channel(loss=loss), Tcp()), 300_000, seed=seed).delivered_s
            for seed in range(30)
        )
        for loss in (0.0, 0.01, 0.05)
    ]
    assert means[0] < means[1] < means[2]


def live(way, tcp, payload_bytes, ready_s):
    """The slow twin: one connection, simulated throughout, nothing remembered."""
    connection, came = connect(way, tcp), []
    for at_s in ready_s:
        came += connection.run(at_s)
        connection.write(at_s, payload_bytes)
    return came + list(connection.run(math.inf))


@pytest.mark.parametrize("gap_s", [0.01, 0.033, 0.1, 0.4, 2.0])
@pytest.mark.parametrize("payload_bytes", [1000, 30_000, 120_000])
def test_remembered_transfers_are_those_of_one_connection(gap_s, payload_bytes):
    way, frames = channel(5e7, 0.03, queue_bytes=1e9), 60
    ready_s = [number * gap_s for number in range(frames)]
    transfers = Transfers(payload_bytes, way, Tcp(), np.random.default_rng(0))
    waiting = (Ready(number, at_s, at_s, at_s) for number, at_s in enumerate(ready_s))
    sent = list(stream(transfers, connect(way, Tcp()), waiting))
    assert [one.frame.number for one in sent] == list(range(frames))
    expected_s = live(way, Tcp(), payload_bytes, ready_s)
    assert [one.delivered_s for one in sent] == pytest.approx(expected_s, rel=1e-3)


def test_remembered_transfers_are_distributed_as_one_connection_has_them():
    way, frames = channel(2e7, 0.02, loss=0.02), 1000
    ready_s = [number * 0.5 for number in range(frames)]
    transfers = Transfers(20_000, way, Tcp(), np.random.default_rng(0))
    transfers.variants = 60  # so that most are drawn
    waiting = (Ready(number, at_s, at_s, at_s) for number, at_s in enumerate(ready_s))
    drawn = [
        one.delivered_s - one.frame.ready_s
        for one in stream(transfers, connect(way, Tcp()), waiting)
    ]
    connection = connect(way, Tcp())
    connection.reseed(3)
    came = []
    for at_s in ready_s:
        came += connection.run(at_s)
        connection.write(at_s, 20_000)
    came += connection.run(math.inf)
    true = np.array(came) - ready_s
    spread = np.hypot(np.std(true), np.std(drawn)) / math.sqrt(frames)
    assert abs(np.mean(true) - np.mean(drawn)) < 4 * spread + 0.002
    assert np.median(drawn) == pytest.approx(np.median(true), rel=0.02)


@pytest.mark.data
@pytest.mark.skipif(not MEASURED.is_file(), reason="shared/data/tcp_transfers.csv is absent")
def test_transfers_without_loss_are_those_of_the_kernel():
    cells = {}
    with MEASURED.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if float(row["loss"]) == 0:
                key = tuple(
                    float(row[k]) for k in ("rate_bit_s", "rtt_s", "queue_bytes", "payload_bytes")
                )
                cells.setdefault(key, []).append(float(row["cold_transfer_s"]))
    errors = []
    for (rate, rtt_s, queue_bytes, size), measured_s in cells.items():
        way, tcp = channel(rate, rtt_s, queue_bytes=queue_bytes), Tcp(undisturbed_s=0.01)
        times_s = [
            transfer(connect(way, tcp), int(size), seed=seed).delivered_s
            + transfer(connect(way, tcp, upwards=False), 1).delivered_s
            for seed in range(5)
        ]
        errors.append(abs(statistics.median(times_s) / statistics.median(measured_s) - 1))
    assert statistics.median(errors) <= 0.02
    assert max(errors) <= 0.08


@pytest.mark.parametrize("upwards", [True, False])
def test_bursts_meet_the_first_packet_of_a_connection_as_often_as_any_other(upwards):
    burst = Channel(1e6, 1e6, 0.02, loss=0.2, burst_packets=10)
    fresh = connect(burst, Tcp(), upwards=upwards)
    late = [transfer(fresh, 100, seed=seed).delivered_s > 0.05 for seed in range(1000)]
    assert np.mean(late) == pytest.approx(0.2, abs=0.04)
