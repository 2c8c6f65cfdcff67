"""Losses, traces and packets against closed forms and slow twins."""

import math
from dataclasses import replace

import numpy as np
import pytest

from isplit.network import (
    Arrival,
    Channel,
    Power,
    Setting,
    Udp,
    Work,
    carriers,
    erased,
    lost_packets,
    simulate,
)
from isplit.network.channel import Opportunities, read_trace
from isplit.network.link import Losses, links
from isplit.network.transport import packet_sizes, send_datagrams


def runs(fates):
    """Lengths of the bursts of losses."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], fates.astype(int), [0]))))
    return edges[1::2] - edges[::2]


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("burst", [None, 1.5, 8.0])
def test_losses_have_the_rate_and_the_bursts_asked_for(loss, burst):
    losses = Losses(loss, burst, rng := np.random.default_rng(1))
    fates = np.array([losses.next(rng) for _ in range(200_000)])
    length = burst or 1 / (1 - loss)
    error = math.sqrt(loss * (1 - loss) * 2 * length / len(fates))  # of a rate of bursts
    assert fates.mean() == pytest.approx(loss, abs=5 * error)
    seen = runs(fates)
    assert seen.mean() == pytest.approx(length, abs=5 * length / math.sqrt(len(seen)))
    assert (seen > length).mean() == pytest.approx((1 - 1 / length) ** int(length), abs=0.05)


def test_a_burst_does_not_wait_for_a_sender_that_waits():
    losses = Losses(0.1, 10.0, rng := np.random.default_rng(1))
    tries = (losses.bad or not losses.next(rng) for _ in range(20_000))
    after_losses = [losses.next(rng, 1000.0) for found in tries if found]
    assert np.mean(after_losses) == pytest.approx(0.1, abs=0.01)


def test_nothing_is_lost_without_loss():
    assert not lost_packets(Channel(1e6, 1e6, 0.1), 100, 10, np.random.default_rng(0)).any()


@pytest.mark.parametrize("payload_bytes", [1, 1460, 1461, 10_000, 100_001])
@pytest.mark.parametrize("mtu_bytes", [576, 1500, 9000])
def test_datagrams_take_their_bits_and_half_a_round_trip(payload_bytes, mtu_bytes):
    up, _ = links(Channel(1e7, 1e7, 0.04, mtu_bytes=mtu_bytes), np.random.default_rng(0))
    sizes = packet_sizes(payload_bytes, mtu_bytes)
    assert sum(sizes) == payload_bytes
    assert max(sizes) <= mtu_bytes - 40
    assert max(sizes) - min(sizes) <= 1
    sent = send_datagrams(up, Udp(), 1.0, payload_bytes)
    wire_s = (payload_bytes + 40 * len(sizes)) * 8 / 1e7
    assert sent.left_s == pytest.approx(1 + wire_s)
    assert sent.delivered_s == pytest.approx(1.02 + wire_s)
    following = send_datagrams(up, Udp(), 1.0, payload_bytes)
    assert following.delivered_s == pytest.approx(1.02 + 2 * wire_s)


@pytest.mark.parametrize("partial", ["fill", "drop"])
def test_a_frame_with_missing_packets_is_used_or_not(partial):
    up, _ = links(Channel(1e7, 1e7, 0.04, loss=0.3), np.random.default_rng(0))
    udp = Udp(partial, patience_s=0.5)
    sent = [send_datagrams(up, udp, 10.0 * number, 5000) for number in range(400)]
    for number, one in enumerate(sent):
        missing, last_s = sum(one.lost), 10.0 * number + 0.02 + (5000 + 160) * 8 / 1e7
        if missing == 0:
            assert one.delivered_s == pytest.approx(last_s)
        elif missing == len(one.lost) or partial == "drop":
            assert one.delivered_s is None
        elif one.lost[-1]:
            assert last_s < one.delivered_s < last_s + 0.5
        else:
            assert one.delivered_s == pytest.approx(last_s)
    assert {sum(one.lost) for one in sent} == {0, 1, 2, 3, 4}


def test_a_full_queue_drops_and_an_emptied_one_does_not():
    up, _ = links(Channel(1e6, 1e6, 0.0, queue_bytes=3000), np.random.default_rng(0))
    assert [up.send(0.0, 1500) is None for _ in range(5)] == [False] * 3 + [True] * 2
    assert up.send(0.012, 1500) == pytest.approx(0.048)


def test_jitter_keeps_the_order_and_has_its_mean():
    up, _ = links(Channel(1e12, 1e12, 0.02, jitter_s=0.005), np.random.default_rng(0))
    apart = [up.send(float(number), 100) - number - 0.01 for number in range(20_000)]
    assert np.mean(apart) == pytest.approx(0.005, rel=0.04)
    close = [up.send(1e6 + number * 1e-4, 100) for number in range(1000)]
    assert close == sorted(close)


def by_the_millisecond(times_ms, packets):
    """The slow twin of a trace: every opportunity, one after the other."""
    queue, done = list(packets), []
    period, round_ = times_ms[-1], 0
    left, current = {}, 0
    while len(done) < len(queue):
        for ms in times_ms:
            now_ms, room = round_ * period + ms, 1500
            while current < len(queue) and queue[current][0] * 1000 <= now_ms + 1e-9 and room:
                need = left.get(current, queue[current][1])
                used = min(need, room)
                left[current], room = need - used, room - used
                if left[current] == 0:
                    done.append(now_ms / 1000)
                    current += 1
        round_ += 1
    return done


@pytest.mark.parametrize("times_ms", [[1], [5, 5, 9], [0, 3, 3, 3, 40], list(range(1, 50, 7))])
def test_a_trace_gives_its_opportunities_in_order(times_ms, tmp_path):
    file = tmp_path / "some.up"
    file.write_text("\n".join(map(str, times_ms)) + "\n")
    rng = np.random.default_rng(0)
    packets = [
        (float(at_s), int(size))
        for at_s, size in zip(
            np.sort(rng.integers(1, 300, 60)) / 1000, rng.integers(40, 1501, 60), strict=True
        )
    ]
    opportunities = Opportunities(str(file))
    assert [opportunities.carry(*packet) for packet in packets] == pytest.approx(
        by_the_millisecond(times_ms, packets)
    )


def test_a_channel_follows_its_trace(tmp_path):
    file = tmp_path / "steady.up"
    file.write_text("1\n")  # 1500 bytes a millisecond: 12 Mbit/s
    up, down = links(Channel(12e6, 1e6, 0.02, up_trace=str(file)), np.random.default_rng(0))
    last_s = [up.send(max(0.0005, up.free_s), 1500) for _ in range(100)][-1]
    assert last_s == pytest.approx(0.1 + 0.01, abs=0.002)
    assert down.send(0.0, 1250) == pytest.approx(0.02)


def test_energy_and_queue_are_those_of_the_rate_that_the_trace_has(tmp_path):
    file = tmp_path / "slow.up"
    file.write_text("12\n")  # 1500 bytes in 12 milliseconds: 1 Mbit/s
    work, arrival = Work(device_s=0.01, payload_bytes=12_500), Arrival(rate_hz=5)
    seen = [
        simulate(Setting(work, arrival, channel, Udp(), power=Power(1, 3, 4)), 50)
        for channel in (
            Channel(1e6, 1e6, 0.02),
            Channel(50e6, 1e6, 0.02, up_trace=str(file)),
        )
    ]
    assert seen[1].energy_j == pytest.approx(seen[0].energy_j, rel=0.02)
    assert seen[1].link_busy == pytest.approx(seen[0].link_busy, rel=0.02)
    fast = Channel(50e6, 1e6, 1.0)
    assert fast.queue == 50e6 / 8
    assert replace(fast, up_trace=str(file)).queue == pytest.approx(1e6 / 8)


@pytest.mark.parametrize("text", ["", "ten\n", "3\n1\n", "0\n0\n", "-1\n5\n", "1.5\n"])
def test_a_broken_trace_is_refused(text, tmp_path):
    file = tmp_path / "broken.up"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"trace .*broken\.up: .*milliseconds"):
        read_trace(str(file))


def test_a_missing_trace_is_refused():
    with pytest.raises(ValueError, match=r"channel trace nowhere\.up: not a file"):
        Channel(1e6, 1e6, 0.1, down_trace="nowhere.up")


@pytest.mark.parametrize(("coefficients", "packets"), [(10, 1), (10, 3), (16, 16), (1000, 7)])
@pytest.mark.parametrize("layout", ["contiguous", "interleaved"])
def test_packets_share_the_coefficients(coefficients, packets, layout):
    carrier = carriers(coefficients, packets, layout)
    counts = np.bincount(carrier, minlength=packets)
    assert counts.sum() == coefficients
    assert counts.max() - counts.min() <= 1
    if layout == "contiguous":
        assert (np.diff(carrier) >= 0).all()
    elif packets > 1:
        assert (np.diff(carrier) != 0).all()


@pytest.mark.parametrize("one_stream", [False, True])
def test_what_is_erased_is_what_the_lost_packets_carried(one_stream):
    rng = np.random.default_rng(0)
    lost, carrier = rng.random((20, 6)) < 0.2, rng.integers(0, 6, 50)
    mask = erased(lost, carrier, one_stream=one_stream)
    for frame in range(20):
        for place in range(50):
            packets = (
                lost[frame, : carrier[place] + 1] if one_stream else lost[frame, [carrier[place]]]
            )
            assert mask[frame, place] == packets.any()


def test_the_share_erased_is_the_loss():
    way = Channel(1e6, 1e6, 0.1, loss=0.2, burst_packets=3)
    lost = lost_packets(way, 3000, 16, np.random.default_rng(0))
    for layout in ("contiguous", "interleaved"):
        assert erased(lost, carriers(2048, 16, layout)).mean() == pytest.approx(0.2, abs=0.02)


def test_masks_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="layout='diagonal' is none of contiguous, interleaved"):
        carriers(10, 2, "diagonal")
    with pytest.raises(ValueError, match="packets=11 is not within 1 and 10 coefficients"):
        carriers(10, 11, "contiguous")
    with pytest.raises(ValueError, match="carrier names packet 3, but there are 2"):
        erased(np.zeros((1, 2), dtype=bool), np.array([0, 3]))
