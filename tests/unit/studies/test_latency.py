"""The study of latency on made nets: closed forms, names, refusals, and packets that are lost."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from made_conditions import points_of
from omegaconf import OmegaConf
from run_folders import CONFIG, RESULT

from isplit.codec import from_config
from isplit.devices import Device
from isplit.importance.curve import Curve
from isplit.network import Channel
from isplit.point import Work
from isplit.requirements import Requirement, misses
from isplit.result import CodecResult
from isplit.runs.erasures import _received, _sent
from isplit.search import expectations
from isplit.studies.collect import Collection
from isplit.studies.latency.designs import designs
from isplit.studies.latency.places import anchored, places_of
from isplit.studies.latency.shown import _lines
from isplit.studies.latency.splits import expected, sent_of, untrained
from isplit.studies.latency.study import latency_study
from isplit.studies.run_folder import Run
from isplit.studies.seen import Coded, Seen, Sent, Sides

SLOW = Device("slow", 1e-9, 1e-9, 1e-3, power_W=5.0, power_kind="wall")
FAST = Device("fast", 1e-11, 1e-11, 1e-5)
LINK = Channel(up_bit_s=1e6, down_bit_s=1e6, round_trip_s=0.02, name="link")
OPTIONS = {
    "frames": 50,
    "rate_hz": None,
    "device_ms": None,
    "server_ms": None,
    "send_W": None,
    "request_ms": 0,
    "request_bytes": 0,
    "overlap": True,
    "loss": [],
    "predicted": False,
    "device": asdict(SLOW),
    "server": "t4",
    "channel": asdict(LINK),
    "requirement": asdict(Requirement(p95_ms=100)),
}
HEAD, TAIL = Work(20_000_000, 0, 2, parameters=100), Work(80_000_000, 0, 5, parameters=900)
IMAGE = Sent("raw pixels", 1.0, 3072)


def coded(run, position):
    bottleneck = run.result.bottleneck
    return Coded(bottleneck.compression_rate if bottleneck else 0.0, run.result.cost, 50)


SIDES = Sides(HEAD + TAIL, [(HEAD, TAIL)] * 3, IMAGE, coded, lambda run: [])
CURVE = Curve("cui", points_of([4, 4, 4]), (0.0, 1.0, 2.0))


def run(result=RESULT, **config):
    return Run(None, result, CONFIG | {"repeat": 0, "codec": {"name": "none"}} | config, CURVE)


def places(**options):
    return replace(places_of(OPTIONS | options), server=FAST)


def test_two_designs_take_what_arithmetic_says():
    local, remote, split = designs([[run()]], SIDES, places(send_W=3.0))
    assert local.design.p95_ms == pytest.approx(1000 * (0.1 + 7e-3), rel=2e-3)
    assert local.design.frames_per_s == pytest.approx(1 / 0.107, rel=2e-3)
    assert local.design.energy_J == pytest.approx(5 * 0.107)
    assert local.late == 1.0
    cost = RESULT.cost
    head_s = 1e-9 * (20_000_000 + cost.encoder_macs) + 4e-3
    tail_s = 1e-11 * (80_000_000 + cost.decoder_macs) + 7e-5
    air_s = (cost.payload_bytes + 52) * 8 / 1e6
    answer_s = (4 + 52) * 8 / 1e6
    assert split.ms["mean_ms"] == pytest.approx(
        1000 * (head_s + air_s + 0.02 + tail_s + answer_s), abs=0.01
    )
    parts = ("device", "encode", "send", "server", "answer")
    assert sum(split.ms[f"{part}_ms"] for part in parts) == pytest.approx(split.ms["mean_ms"])
    assert split.ms["device_ms"] == pytest.approx(1000 * head_s)
    assert split.ms["server_ms"] == pytest.approx(1000 * tail_s)
    assert split.design.energy_J == pytest.approx(5 * head_s + 3 * air_s)
    assert split.design.frames_per_s == pytest.approx(1 / head_s, rel=0.01)
    assert split.design.device_macs == 20_000_000 + cost.encoder_macs
    assert split.design.device_memory_bytes == 4 * (100 + 50) + 64
    assert (split.design.accuracy, split.design.payload_bytes) == (0.75, 64)
    *_, waiting = designs([[run()]], SIDES, places(overlap=False))
    assert waiting.design.frames_per_s == pytest.approx(1000 / split.ms["mean_ms"], rel=0.01)
    packets = math.ceil(3072 / 1448)
    assert remote.ms["send_ms"] == pytest.approx(8 * (3072 + 52 * packets) / 1e3 + 10, rel=0.01)
    assert (remote.design.device_macs, remote.design.device_memory_bytes) == (0, 0)


def test_energy_is_known_only_where_all_that_is_done_has_a_power():
    local, remote, split = designs([[run()]], SIDES, places())
    assert local.design.energy_J is not None
    assert (remote.design.energy_J, split.design.energy_J) == (None, None)


def test_designs_have_names_of_their_own_and_repeats_are_one():
    again = replace(RESULT, accuracy=replace(RESULT.accuracy, after_finetune=0.25))
    conditions = [[run(), run(again, repeat=1)], [run()]]
    *_, first, other = designs(conditions, SIDES, places())
    assert first.design.name == "features.1, rate 0.9, float32"
    assert other.design.name == f"{first.design.name} #2"
    assert (first.design.accuracy, other.design.accuracy) == (0.5, 0.75)


def test_the_mean_of_repeats_misses_no_requirement_by_rounding():
    made = (
        replace(RESULT, accuracy=replace(RESULT.accuracy, after_finetune=a)) for a in (0.85, 0.95)
    )
    conditions = [[run(result, repeat=k) for k, result in enumerate(made)]]
    *_, split = designs(conditions, SIDES, places())
    assert misses(split.design, Requirement(accuracy=0.9)) == ()


def test_nets_that_share_a_name_are_told_apart():
    stages = RESULT.stages | {"baseline": replace(RESULT.stages["baseline"], fingerprint="f" * 16)}
    runs = (run(), run(replace(RESULT, stages=stages)))
    found = latency_study(Collection(runs, ()), lambda _: Seen({}, sides=SIDES), OPTIONS)
    name = "vgg16 on letters, seed 0"
    assert [part.name for part in found.parts] == [name, f"{name}, net 2"]


def test_splits_that_nobody_trained_are_predicted():
    found = list(designs([[run()]], SIDES, places(predicted=True)))
    guessed = {one.design.layer: one.design for one in found if one.design.predicted}
    assert list(guessed) == ["features.0", "features.2"]
    expected = expectations("cui", CURVE.values, 1.0, 4, {1: 0.75})
    for layer, position in (("features.0", 0), ("features.2", 2)):
        design, of = guessed[layer], expected[position]
        assert design.name == f"{layer}, rate 0.9, float32, predicted"
        assert (design.accuracy_low, design.accuracy, design.accuracy_high) == (
            (of.low, of.accuracy, of.high)
        )
        assert design.payload_bytes == RESULT.cost.payload_bytes
    measured = next(one for one in found if one.run)
    assert (measured.design.accuracy, measured.design.predicted) == (0.75, False)


def test_the_better_known_predictor_of_a_condition_predicts():
    by_probe = replace(run(), curve=Curve("probe", CURVE.points, (-0.5, -0.2, -0.1)))
    of = expected([run(), by_probe])
    assert of == expectations("probe", (-0.5, -0.2, -0.1), 1.0, 4, {1: 0.75})


@pytest.mark.parametrize(
    "change", [{"bottleneck": None}, {"codec": CodecResult("ans", {}, 8, 1, 1, 1, 1, 1, 1)}]
)
def test_what_travels_or_its_accuracy_is_not_guessed(change):
    result = replace(RESULT, **change)
    assert not list(untrained([run(result)], SIDES))
    assert not expected([run(result)])  # so that no doubt is said of what is not shown


def test_predictors_without_constants_and_points_without_a_bottleneck_predict_nothing():
    by_size = replace(run(), curve=replace(CURVE, kind="size"))
    assert not list(untrained([by_size], SIDES))

    def narrow(run, position):
        if position == 2:
            raise ValueError("no more features than the code")
        return coded(run, position)

    assert [s.index for s in untrained([run()], replace(SIDES, coded=narrow))] == [0]


def test_the_table_says_what_is_predicted_and_whether_to_trust_it():
    seen = Seen({}, sides=SIDES)
    found = latency_study(Collection((run(),), ()), lambda _: seen, OPTIONS | {"predicted": True})
    table = found.tables[0]
    assert {"accuracy_low", "accuracy_high"} <= {column.key for column in table.columns}
    assert "nobody trained" in table.note
    assert sum("predicted" in row["name"] for row in table.rows) == 2
    plain = latency_study(Collection((run(),), ()), lambda _: seen, OPTIONS)
    assert "nobody trained" not in plain.tables[0].note


def test_a_run_with_a_codec_sends_its_payload():
    coded = CodecResult("ans", {"name": "ans", "bits": 4}, 8, 31.5, 32, 33, 2.0, 2.0, 1.0)
    result = replace(RESULT, codec=coded, accuracy=replace(RESULT.accuracy, with_codec=0.625))
    assert sent_of(run(result)) == Sent("ans, 4 bits", 0.625, 31.5, 0.002, 0.001)
    assert sent_of(run()) == Sent("float32", 0.75, 64)


def test_devices_are_anchored_to_the_whole_net_where_it_was_measured():
    def of(name):
        return {"model": {"name": name}, "data": {"image_size": 32}}

    given = anchored(places(device_ms=50.0), of("vgg16"), SIDES.whole)
    assert given.device.seconds(SIDES.whole) == pytest.approx(0.05)
    assert given.server == FAST
    known = replace(places(), device=replace(SLOW, measured={"resnet18@32": 7.0}))
    whole = Work(37_021_696, 0, 21)  # of torchvision's, as it counts itself
    found = anchored(known, of("resnet18"), whole)
    assert found.device.seconds(whole) == pytest.approx(0.007)
    assert anchored(known, of("resnet18"), Work(10**9)).device == known.device  # another net
    narrow = of("resnet18") | {"model": {"name": "resnet18", "width": 0.25}}
    assert anchored(known, narrow, whole).device == known.device


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": None}, "device=null: latencies need one of jetson_nano, l4"),
        ({"server": None}, "server=null: latencies need one of jetson_nano"),
        ({"channel": None}, "channel=null: latencies need one of 5g, ethernet"),
        ({"server": "t5"}, "server='t5' is neither a file nor one of jetson_nano"),
        ({"channel": asdict(LINK) | {"loss": 1.5}}, r"channel\.loss=1\.5 is not within 0 and 0.99"),
    ],
)
def test_what_is_missing_or_cannot_be_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        latency_study(Collection((run(),), ()), None, OPTIONS | options)


def test_a_run_whose_net_is_gone_is_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"no net to make designs of:\n.*it was deleted"):
        latency_study(
            Collection((run(),), ()), lambda _: Seen({}, left_out=["it was deleted"]), OPTIONS
        )


def test_an_impossible_requirement_names_the_nearest():
    asked = asdict(Requirement(accuracy=1.0, p95_ms=0.1))
    found = latency_study(
        Collection((run(),), ()), lambda _: Seen({}, sides=SIDES), OPTIONS | {"requirement": asked}
    )
    assert found.answer.startswith("No design fits; the nearest would have to change: feat")
    assert all(row["misses"] and row["rank"] is None for row in found.tables[0].rows)


@pytest.mark.parametrize("name", ["plain", "quantize", "rle", "ans"])
@pytest.mark.parametrize("layout", ["contiguous", "interleaved", "one payload"])
def test_every_packet_fits_and_all_of_them_give_the_tensor_back(name, layout):
    rng = np.random.default_rng(0)
    flat = np.maximum(rng.normal(size=(6, 3000)), 0).astype(np.float32)
    codec = from_config({"name": name})
    carrier, decoded, size = _sent(codec, flat, layout, 700)
    assert carrier.shape == (3000,)
    step = 0 if name == "plain" else np.ptp(flat) / 15
    assert np.abs(decoded - flat).max() <= step
    if layout != "one payload":
        sent = [codec.encode(flat[:, carrier == p]) for p in range(carrier.max() + 1)]
        assert max(len(payload) for one in sent for payload in one) <= 700
        assert size == pytest.approx(sum(len(p) for one in sent for p in one) / 6)


def test_what_is_lost_is_filled_and_one_payload_is_lost_whole():
    values = torch.arange(1.0, 1 + 40 * 4 * 300).reshape(40, 4, 300)
    usual = torch.full((1, 4, 1), -1.0)
    study, channel = {"loss": [0, 0.3]}, {"mtu_bytes": 1500, "burst_packets": None}
    cfg = OmegaConf.create({"study": study, "channel": channel})
    seen = list(_received(from_config({"name": "plain"}), values, usual, cfg))
    assert len(seen) == 3 * 2 * 2
    for row, filled in seen:
        stand_in = 0 if row["fill"] == "zero" else -1
        kept = filled == values
        assert (filled[~kept] == stand_in).all()
        share = float((~kept).double().mean())
        whole = 1 - 0.7 ** row["packets"] if row["layout"] == "one payload" else 0.3
        assert share == (0 if row["loss"] == 0 else pytest.approx(whole, abs=0.12))
        if row["layout"] == "one payload":
            assert all(bool(k.all()) or not bool(k.any()) for k in kept)


def test_a_request_costs_its_time_and_its_bytes_both_ways():
    bare, asked = (
        designs([[run()]], SIDES, places(request_ms=ms, request_bytes=size))
        for ms, size in ((0, 0), (3.5, 1000))
    )
    local, *others = zip(bare, asked, strict=True)
    assert local[0] == local[1]
    for one, other in others:
        wire_ms = 2 * 8 * 1000 / LINK.up_bit_s * 1000
        assert other.design.payload_bytes == one.design.payload_bytes
        assert other.ms["p50_ms"] - one.ms["p50_ms"] == pytest.approx(3.5 + wire_ms, rel=0.05)


def test_a_request_that_varies_is_drawn_anew_for_each_frame():
    def split(request_ms):
        *_, found = designs([[run()]], SIDES, places(frames=400, request_ms=request_ms))
        return found

    calm, varied = split(0), split([0.0] * 9 + [30.0])
    assert varied.ms["p50_ms"] == pytest.approx(calm.ms["p50_ms"], rel=2e-3)
    assert varied.design.p95_ms == pytest.approx(calm.design.p95_ms + 30, rel=2e-3)
    assert varied.ms["mean_ms"] == pytest.approx(calm.ms["mean_ms"] + 3, abs=1)
    assert varied.ms["server_ms"] == pytest.approx(calm.ms["server_ms"] + 3)
    assert split([0.0] * 9 + [30.0]) == varied


def test_accuracy_under_loss_is_drawn_without_a_bottleneck_too():
    """A run without one has four payloads, with one five."""
    row = {"layout": "contiguous", "payload_bytes": 10, "fill": "mean", "accuracy": 0.5}
    for payloads in (("float32", "a", "b", "c"), ("float32", "a", "b", "c", "d")):
        lost = [row | {"payload": name, "loss": loss} for name in payloads for loss in (0.0, 0.1)]
        assert len(_lines(lost).axes[0].lines) == len(payloads)
