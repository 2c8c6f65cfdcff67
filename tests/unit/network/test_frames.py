"""Simulated frames against queueing theory, arithmetic and their own table."""

import csv
import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from isplit.network import Arrival, Channel, Power, Setting, Tcp, Udp, Work, simulate
from isplit.network.tcp import connect, transfer

FAST = Channel(up_bit_s=1e13, down_bit_s=1e13, round_trip_s=0.0)  # only the server takes time
LAN = Channel(up_bit_s=1e8, down_bit_s=1e8, round_trip_s=0.01)
WORK = Work(device_s=0.005, encode_s=0.001, payload_bytes=10_000, decode_s=0.0005, server_s=0.002)


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("transport", [Tcp(), Udp()])
def test_one_frame_takes_the_sum_of_its_parts(transport):
    seen = simulate(Setting(WORK, Arrival(rate_hz=5), LAN, transport), 20)
    headers, packets, answer = (52, 7, 56) if isinstance(transport, Tcp) else (40, 7, 44)
    wire_s = (10_000 + packets * headers + answer) * 8 / 1e8
    expected_s = 0.005 + 0.001 + wire_s + 0.01 + 0.0005 + 0.002
    assert seen.mean_s == pytest.approx(expected_s, abs=1e-6)
    for percentile_s in (seen.p50_s, seen.p95_s, seen.p99_s):
        assert percentile_s == pytest.approx(expected_s, rel=1e-3)


@pytest.mark.parametrize("load", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("devices", [1, 5])
def test_waiting_at_the_server_is_that_of_m_d_1(load, devices):
    work, frames = Work(payload_bytes=1, server_s=0.01), 40_000 // devices
    arrival = Arrival("poisson", rate_hz=load / 0.01 / devices)
    setting = Setting(work, arrival, FAST, Udp(), devices=devices)
    seen = simulate(setting, frames, seed=1)
    wait_s = load * 0.01 / (2 * (1 - load))  # Pollaczek and Khinchine
    assert seen.mean_s - 0.01 == pytest.approx(wait_s, rel=0.1)
    assert seen.server_busy == pytest.approx(load, rel=0.03)


@pytest.mark.parametrize("load", [0.5, 2.0])
def test_a_server_without_a_queue_loses_what_erlang_says(load):
    work = Work(payload_bytes=1, server_s=0.01)
    setting = Setting(work, Arrival("poisson", load / 0.01), FAST, Udp(), server_queue=0)
    seen = simulate(setting, 30_000)
    assert seen.fates["lost_at_server"] / 30_000 == pytest.approx(load / (1 + load), rel=0.03)


def test_a_device_without_a_queue_loses_what_erlang_says():
    setting = Setting(Work(device_s=0.01), Arrival("poisson", 100.0), device_queue=0)
    assert simulate(setting, 30_000).fates["lost_at_device"] / 30_000 == pytest.approx(
        0.5, rel=0.03
    )


def test_a_batch_is_what_has_gathered():
    arrival = Arrival("trace", times_s=(0.001, 0.002, 0.003, 0.004, 0.005, 1.0))
    work = Work(payload_bytes=1, server_s=lambda frames: 0.1 + 0.01 * frames)
    seen = simulate(Setting(work, arrival, FAST, Udp(), batch=3), 5)
    # one alone, then three, then one
    ends_s = [0.111, 0.241, 0.241, 0.241, 0.351]
    latencies_s = np.array(ends_s) - [0.001, 0.002, 0.003, 0.004, 0.005]
    assert seen.mean_s == pytest.approx(latencies_s.mean())


@pytest.mark.parametrize("transport", [Tcp(), Udp()])
@pytest.mark.parametrize("overlap", [True, False])
def test_overlap_decides_whether_computing_waits_for_sending(transport, overlap):
    work = Work(device_s=0.03, payload_bytes=100_000)
    slow = Channel(up_bit_s=30e6, down_bit_s=30e6, round_trip_s=0.0)
    seen = simulate(Setting(work, Arrival(rate_hz=1000), slow, transport, overlap=overlap), 50)
    sending_s = (100_000 + 69 * (52 if isinstance(transport, Tcp) else 40)) * 8 / 30e6
    each_s = max(0.03, sending_s) if overlap else 0.03 + sending_s
    assert seen.duration_s == pytest.approx(50 * each_s, rel=0.04)


@pytest.mark.parametrize("transport", [Tcp(), Udp()])
@pytest.mark.parametrize("rate_hz", [2, 1000])
@pytest.mark.parametrize("devices", [1, 3])
@pytest.mark.parametrize("loss", [0, 0.1])
def test_without_overlap_a_frame_begins_when_the_last_is_answered(
    transport, rate_hz, devices, loss, tmp_path
):
    work = Work(device_s=0.01, payload_bytes=9000, server_s=0.05, answer_bytes=100)
    link = Channel(up_bit_s=30e6, down_bit_s=30e6, round_trip_s=0.04, loss=loss)
    setting = Setting(work, Arrival(rate_hz=rate_hz), link, transport, devices, overlap=False)
    simulate(replace(setting, deadline_s=0.3), 40, path=tmp_path / "frames.csv")
    last_s = dict.fromkeys(map(str, range(devices)), 0.0)
    for row in rows(tmp_path / "frames.csv"):
        arrival_s, start_s = float(row["arrival_s"]), float(row["ready_s"]) - 0.01
        assert start_s == pytest.approx(max(arrival_s, last_s[row["device"]]), abs=1e-9)
        given_up_s = start_s + 0.3
        last_s[row["device"]] = float(row["answered_s"] or given_up_s)


def test_local_frames_wait_for_the_device_alone():
    seen = simulate(Setting(Work(device_s=0.04), Arrival(rate_hz=50)), 100, seed=1)
    latencies_s = [0.04 + number * 0.02 for number in range(100)]
    assert seen.mean_s == pytest.approx(np.mean(latencies_s))
    assert seen.p95_s == pytest.approx(np.quantile(latencies_s, 0.95), rel=0.01)
    assert (seen.link_busy, seen.server_busy) == (0.0, 0.0)


@pytest.mark.parametrize("transport", [Tcp(), Udp()])
def test_energy_is_what_each_state_takes(transport, tmp_path):
    power = Power(idle_w=2.0, compute_w=6.0, send_w=3.0)
    setting = Setting(WORK, Arrival("poisson", 20), LAN, transport, devices=2, power=power)
    seen = simulate(setting, 300, path=tmp_path / "frames.csv")
    table = rows(tmp_path / "frames.csv")
    device_s, air_s = seen.duration_s * 2, seen.link_busy * seen.duration_s * 2
    computing_s = seen.device_busy * device_s
    assert computing_s == pytest.approx(600 * 0.006)
    assert air_s == pytest.approx(sum(int(row["wire_bytes"]) for row in table) * 8 / 1e8)
    energy_j = 2.0 * device_s + 4.0 * computing_s + 1.0 * air_s
    assert seen.energy_j == pytest.approx(energy_j)
    above_idle_j = sum(float(row["energy_j"]) for row in table)
    assert seen.energy_j == pytest.approx(above_idle_j + 2.0 * device_s)


def test_without_power_there_is_no_energy():
    assert simulate(Setting(WORK, channel=LAN), 3).energy_j is None


def test_the_summary_is_that_of_the_table(tmp_path):
    way = Channel(6e6, 13e6, 0.03, loss=0.05, burst_packets=2)
    work = Work(lambda rng: rng.uniform(0.001, 0.01), 0.0, 5000, 0.001, 0.002)
    setting = Setting(
        work, Arrival("poisson", 20), way, Udp(), devices=3, server_queue=2, deadline_s=0.05
    )
    path = tmp_path / "frames.csv"
    seen = simulate(setting, 2000, seed=4, path=path)
    table = rows(path)
    assert len(table) == 6000
    assert {(row["device"], row["number"]) for row in table} == {
        (str(device), str(number)) for device in range(3) for number in range(2000)
    }
    for fate, count in seen.fates.items():
        assert count == sum(row["fate"] == fate for row in table)
    assert seen.fates["lost_on_the_way_up"] > 0 < seen.fates["lost_on_the_way_down"]
    answered = [row for row in table if row["fate"] == "answered"]
    latencies_s = np.array([float(r["answered_s"]) - float(r["arrival_s"]) for r in answered])
    assert seen.mean_s == pytest.approx(latencies_s.mean())
    for part in (50, 95, 99):
        true_s = np.percentile(latencies_s, part, method="inverted_cdf")
        assert getattr(seen, f"p{part}_s") == pytest.approx(true_s, rel=1e-3)
    late = int((latencies_s > 0.05).sum())
    assert seen.missed == late + len(table) - len(answered)
    assert seen.partial == sum(int(row["missing_packets"]) > 0 for row in answered)
    for row in answered:
        times_s = [float(row[k]) for k in ("arrival_s", "ready_s", "delivered_s", "answered_s")]
        assert times_s == sorted(times_s)


def test_the_same_seed_gives_the_same_frames_and_another_does_not(tmp_path):
    way = Channel(6e6, 13e6, 0.07, loss=0.02, jitter_s=0.002)
    setting = Setting(WORK, Arrival("poisson", 5), way, devices=2)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate(setting, 100, seed=seed, path=tmp_path / name)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_nothing_is_left_of_a_table_that_was_interrupted(tmp_path):
    def interrupted(rng):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(Setting(Work(device_s=interrupted)), 10, path=tmp_path / "frames.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "setting",
    [
        Setting(WORK, Arrival("periodic", 10), LAN, devices=2),
        Setting(WORK, Arrival("poisson", 30), Channel(1e8, 1e8, 0.01, loss=0.02), Udp()),
    ],
)
def test_memory_does_not_grow_with_the_frames(setting):
    peaks = []
    for frames in (4500, 9000):
        tracemalloc.start()
        simulate(setting, frames)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


@pytest.mark.parametrize(
    ("arrival", "rate_hz"),
    [
        (Arrival("periodic", 25.0), 25.0),
        (Arrival("poisson", 25.0), 25.0),
        (Arrival("trace", times_s=(0.01, 0.02, 0.12)), 25.0),
    ],
)
def test_frames_arrive_at_their_rate(arrival, rate_hz):
    seen = simulate(Setting(Work(), arrival), 5000)
    assert 5000 / seen.duration_s == pytest.approx(rate_hz, rel=0.05)


def test_nothing_answered_has_no_latency():
    setting = Setting(WORK, channel=Channel(1e6, 1e6, 0.1, loss=0.99), transport=Udp("drop"))
    seen = simulate(setting, 5)
    assert seen.fates["lost_on_the_way_up"] == 5
    assert math.isnan(seen.p95_s)
    assert math.isnan(seen.mean_s)


NAN = float("nan")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Channel(-1, 1e6, 0.1), r"channel\.up_bit_s=-1 is not within 1 and 1e\+15"),
        (lambda: Channel(1e6, 0, 0.1), r"channel\.down_bit_s=0 is not"),
        (lambda: Channel(1e6, 1e6, None), r"channel\.round_trip_s=None is not"),
        (lambda: Channel(1e6, 1e6, NAN), r"channel\.round_trip_s=nan is not"),
        (lambda: Channel(1e6, 1e6, 0.1, loss=1.2), r"channel\.loss=1\.2 is not within 0 and 0\.99"),
        (lambda: Channel(1e6, 1e6, 0.1, loss=-0.1), r"channel\.loss=-0\.1 is not"),
        (lambda: Channel(1e6, 1e6, 0.1, burst_packets=0.5), r"channel\.burst_packets=0\.5"),
        (lambda: Channel(1e6, 1e6, 0.1, loss=0.5, burst_packets=1.5), "is not within 2 and inf"),
        (lambda: Channel(1e6, 1e6, 0.1, jitter_s=-1), r"channel\.jitter_s=-1"),
        (lambda: Channel(1e6, 1e6, 0.1, queue_bytes=-1), r"channel\.queue_bytes=-1"),
        (lambda: Channel(1e6, 1e6, 0.1, mtu_bytes=20), r"channel\.mtu_bytes=20 is not"),
        (lambda: Channel(math.inf, 1e6, 0.1), r"channel\.up_bit_s=inf is not within 1 and 1e\+15"),
        (
            lambda: Channel(1e6, 1e6, 0.1, mtu_bytes=1500.0),
            r"mtu_bytes=1500\.0 is not a whole number",
        ),
        (lambda: Tcp("bbr"), r"tcp\.congestion_control='bbr' is none of cubic, reno"),
        (lambda: Tcp(initial_window=0), r"tcp\.initial_window=0"),
        (lambda: Tcp(tick_s=0.0), r"tcp\.tick_s=0\.0"),
        (lambda: Udp("guess"), r"udp\.partial='guess' is none of fill, drop"),
        (lambda: Udp(patience_s=-1), r"udp\.patience_s=-1"),
        (lambda: Arrival("daily"), r"arrival\.kind='daily' is none of periodic, poisson, trace"),
        (lambda: Arrival(rate_hz=-30), r"arrival\.rate_hz=-30"),
        (lambda: Arrival("trace"), r"arrival\.times_s must not go back"),
        (lambda: Arrival("trace", times_s=(2.0, 1.0)), r"arrival\.times_s must not go back"),
        (lambda: Work(device_s=-0.1), r"work\.device_s=-0\.1"),
        (lambda: Work(payload_bytes=0), r"work\.payload_bytes=0"),
        (lambda: Work(payload_bytes=1e4), r"work\.payload_bytes=10000\.0 is not a whole number"),
        (lambda: Work(device_s=math.inf), r"work\.device_s=inf is not within 0 and 1e\+15"),
        (lambda: Power(5, 3, 6), r"power\.idle_w=5 is not within 0 and 3"),
        (lambda: Setting(WORK), r"setting\.channel is missing"),
        (lambda: Setting(Work(), devices=0), r"setting\.devices=0"),
        (lambda: Setting(Work(), batch=0), r"setting\.batch=0"),
        (lambda: Setting(Work(), deadline_s=-1), r"setting\.deadline_s=-1"),
        (lambda: simulate(Setting(Work()), 0), r"frames=0 is not at least 1"),
    ],
)
def test_figures_that_cannot_be_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def open_within(first_ms, end_ms, folder):
    """A trace of a link that is open for a part of each second, two packets a millisecond."""
    moments = [*(ms for ms in range(first_ms, end_ms) for _ in range(2)), 1000]
    (folder / "link.trace").write_text("".join(f"{ms}\n" for ms in moments), encoding="utf-8")
    return str(folder / "link.trace")


@pytest.mark.parametrize(("first_ms", "end_ms"), [(900, 1000), (1, 100)])
def test_answers_travel_at_their_own_moment_of_a_trace(first_ms, end_ms, tmp_path):
    """Over TCP as over UDP: 0.92 s after each full second, the way down open for 0.1 s of it."""
    channel = replace(LAN, down_trace=open_within(first_ms, end_ms, tmp_path))
    work = Work(device_s=0.92, payload_bytes=1000)
    seen = [simulate(Setting(work, Arrival(rate_hz=1), channel, of), 20) for of in (Tcp(), Udp())]
    assert seen[0].mean_s == pytest.approx(seen[1].mean_s, abs=0.003)
    assert (seen[0].mean_s > 1) is (first_ms == 1)


def test_pairs_of_frames_do_not_shift_the_clock_of_a_trace(tmp_path):
    """Two frames under way together, again and again; the way up is open when they come."""
    channel = replace(LAN, up_trace=open_within(1, 500, tmp_path))
    times_s = tuple(second + part for second in range(40) for part in (0.1, 0.102))
    arrival = Arrival("trace", times_s=times_s)
    setting = Setting(Work(payload_bytes=1000), arrival, channel, Tcp())
    simulate(setting, len(times_s), path=tmp_path / "frames.csv")
    took_s = [float(f["answered_s"]) - float(f["arrival_s"]) for f in rows(tmp_path / "frames.csv")]
    assert max(took_s) - min(took_s) < 0.002


def test_a_whole_datagram_waits_for_no_broken_one_before_it(tmp_path):
    channel = replace(LAN, loss=0.2, round_trip_s=0.02)
    work, found = Work(payload_bytes=2000), []
    for patience_s in (0.0, 0.1):
        udp = replace(Udp(), patience_s=patience_s)
        path = tmp_path / f"{patience_s}.csv"
        simulate(Setting(work, Arrival(rate_hz=200), channel, udp), 2000, path=path)
        whole = [row for row in rows(path) if row["answered_s"] and row["missing_packets"] == "0"]
        found.append([float(row["answered_s"]) - float(row["arrival_s"]) for row in whole])
    assert max(found[0]) == pytest.approx(max(found[1]), abs=1e-4)


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_the_time_of_the_answers_is_their_mean(loss):
    channel = replace(LAN, loss=loss, jitter_s=0.01)
    seen = simulate(Setting(WORK, Arrival(rate_hz=1), channel, Tcp()), 3000)
    alone = connect(channel, Tcp(), upwards=False)
    each = [transfer(alone, WORK.answer_bytes, seed=seed).delivered_s for seed in range(1500)]
    assert seen.answer_s == pytest.approx(np.mean(each), rel=0.1)
