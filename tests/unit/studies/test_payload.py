"""The study of payloads on made-up numbers: closed forms, choices, words."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from made_conditions import points_of, trained
from run_folders import CONFIG, RESULT

from isplit.data.listing import Labelled, balanced
from isplit.importance.curve import Curve
from isplit.report.findings import Findings
from isplit.report.table import Table
from isplit.studies.collect import Collection
from isplit.studies.payload import study
from isplit.studies.payload.cells import RANGES, cells, codecs_of
from isplit.studies.payload.judgement import answer, best_of, most_accurate, rivals, verdict
from isplit.studies.payload.statistics import (
    changes,
    distributions,
    in_proportion,
    samples,
    statistics,
)
from isplit.studies.run_folder import Run
from isplit.studies.seen import Seen

random = np.random.default_rng(0)


def noise(*shape):
    return random.standard_normal(shape).astype(np.float32)


def of(features, frames=None, maps=None):
    frames = [features[:4], features[4:8]] if frames is None else frames
    maps = np.ones((len(features), features[0, 0].size), np.float32) if maps is None else maps
    return samples(features, frames, maps)


@pytest.mark.parametrize(("wrong_now", "right_now"), [(0, 0), (7, 2), (3, 3), (0, 11)])
def test_the_error_of_a_change_is_mcnemars(wrong_now, right_now):
    n = 200
    unsplit = np.arange(n) < 150
    right = unsplit.copy()
    right[:wrong_now] = False
    right[n - right_now :] = True
    found = changes(right, unsplit)
    b, c = wrong_now, right_now
    assert found["change"] == pytest.approx((c - b) / n)
    assert found["change_error"] == pytest.approx(np.sqrt(b + c - (c - b) ** 2 / n) / n)
    assert found["chosen"] == pytest.approx(-b / (n / 2))
    assert found["told"] == pytest.approx(c / (n / 2))


@pytest.mark.parametrize("counts", [(156, 234), (50, 450), (100, 100), (7, 1, 30)])
def test_both_halves_of_the_images_have_the_classes_in_the_same_proportion(counts):
    """Balanced images have the rare classes first."""
    images = [Labelled(str(n), k) for k, count in enumerate(counts) for n in range(count)]
    labels = np.array([image.label for image in balanced(images, len(images), seed=0)])
    ordered = labels[in_proportion(labels)]
    assert sorted(ordered) == sorted(labels)
    for label, count in enumerate(counts):
        first = (ordered[: len(ordered) // 2] == label).sum()
        assert abs(first - count / 2) <= 1
    if len(set(counts)) == 1:
        assert (ordered == labels).all()


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_the_spread_over_frames_follows_from_their_correlation(correlation):
    first = noise(8, 16, 8, 8)
    frames = [first]
    for _ in range(5):
        fresh = np.sqrt(1 - correlation**2) * noise(*first.shape)
        frames.append(np.float32(correlation) * frames[-1] + fresh)
    sequences = list(np.stack(frames, 1).reshape(8, 6, 16, 8, 8).astype(np.float32))
    found = statistics(of(first, sequences))
    assert found["spread_frames"] == pytest.approx(np.sqrt(2 * (1 - correlation)), abs=0.02)


def test_the_axes_are_told_apart():
    along = {"channels": 1, "rows": 2, "columns": 3}
    for constant, axis in along.items():
        shape = [16, 12, 12, 12]
        shape[axis] = 1
        features = np.broadcast_to(noise(*shape), (16, 12, 12, 12))
        found = statistics(of(features))
        assert found[f"spread_{constant}"] == 0
        for other in set(along) - {constant}:
            assert found[f"spread_{other}"] == pytest.approx(np.sqrt(2), abs=0.1)


@pytest.mark.parametrize(
    ("shape", "kinds"),
    [
        ((8, 6), {"channels"}),
        ((8, 6, 12), {"channels", "columns", "relevant"}),
        ((8, 6, 3, 4), {"channels", "rows", "columns", "relevant"}),
        ((8, 1, 1, 1), set()),
    ],
)
def test_what_there_is_no_axis_for_is_left_out(shape, kinds):
    assert set(of(noise(*shape))) == {"coefficients", "frames"} | kinds


def test_low_frequencies_of_noise_and_of_a_slow_wave():
    assert statistics(of(noise(8, 64, 8, 8)))["low"] == pytest.approx(0.25, abs=0.02)
    wave = np.sin(np.linspace(0, 6, 64 * 64, dtype=np.float32)).reshape(1, 64, 8, 8)
    assert statistics(of(wave.repeat(8, 0)))["low"] > 0.99


def test_the_most_relevant_tenth_of_the_positions():
    features = np.arange(2 * 3 * 20, dtype=np.float32).reshape(2, 3, 4, 5)
    maps = np.zeros((2, 20), np.float32)
    maps[0, [7, 3]], maps[1, [19, 0]] = (5, 4), (1, 2)
    found = of(features, [features, features], maps)["relevant"]
    np.testing.assert_array_equal(found[0], features[0].reshape(3, 20)[:, [7, 3]])
    np.testing.assert_array_equal(found[1], features[1].reshape(3, 20)[:, [0, 19]])


def test_constant_features_have_no_spread_and_no_spectrum():
    found = statistics(of(np.zeros((8, 4, 5, 5), np.float32)))
    assert found["zeros_coefficients"] == 1
    assert found["spread_rows"] == found["low"] == 0


def test_a_distribution_is_that_of_the_sorted_values():
    features = np.arange(101, dtype=np.float32).reshape(1, 101, 1, 1)
    rows = [r for r in distributions(of(features, [features] * 2)) if r["of"] == "coefficients"]
    assert [row["value"] for row in rows] == pytest.approx([100 * row["share"] for row in rows])


@pytest.mark.parametrize("ranges", RANGES)
@pytest.mark.parametrize("bits", [1, 3, 4])
def test_all_codecs_of_a_set_decode_to_the_same_features(ranges, bits):
    features = np.maximum(noise(6, 4, 5, 5), 0)
    names = ["rle", "zlib", "zstd", "lz4", "blosc2", "pcodec", "ans"]
    names += [] if ranges == "image" else ["ans_channels"]
    codecs = codecs_of(names, ranges, bits, np.maximum(noise(9, 4, 5, 5), 0))
    decoded = [codec.decode(codec.encode(features)) for codec in codecs.values()]
    assert set(codecs) == {"quantize", *names}
    for one in decoded:
        np.testing.assert_array_equal(one, decoded[0])
    per_image = np.abs(decoded[0] - features).reshape(6, -1).max(1)
    if ranges == "image":
        widths = np.ptp(features.reshape(6, -1), 1)
        assert (per_image <= widths / (2**bits - 1) / 2 * 1.001).all()


def made_cells(**changes):
    point = points_of([32])[0]
    features = np.maximum(noise(40, *point.shape), 0)
    weights = noise(point.numel, 3)

    def tail(some):
        return some.reshape(len(some), -1) @ weights

    labels = tail(features).argmax(1)
    options = {"ranges": ["image", "channel"], "bits": [1, 8], "codecs": ["quantize", "rle", "ans"]}
    options |= {"encoded_images": 10, **changes}
    return list(cells(point, features, features, tail, labels, options, 64.0))


def test_cells_hold_bytes_as_sent_and_one_change_for_all_codecs():
    found = made_cells()
    assert len(found) == 2 * 2 * 3
    elements = 32 * 4
    for cell in found:
        sent = cell["payload_bytes"]
        around = 8 if cell["ranges"] == "channel" else 32
        assert sent <= cell["bits"] * elements / 8 + around
        assert cell["bits_per_element"] == pytest.approx(8 * sent / elements)
        assert cell["of_float32"] == pytest.approx(sent / (4 * elements))
        assert cell["of_jpeg"] == pytest.approx(sent / 64)
        same = [c for c in found if all(c[k] == cell[k] for k in ("ranges", "bits"))]
        assert len({c["change"] for c in same}) == 1
        (rle,) = (c["payload_bytes"] for c in same if c["codec"] == "rle")
        assert cell["of_rle"] == pytest.approx(sent / rle)
    packed = [
        c["payload_bytes"] for c in found if (c["codec"], c["ranges"]) == ("quantize", "channel")
    ]
    assert packed == [elements / 8 + 8, elements + 8]
    assert all(abs(c["change"]) < 0.06 for c in found if c["bits"] == 8)
    assert min(c["change"] for c in found if c["bits"] == 1) < 0


def test_without_rle_nothing_is_compared_with_it():
    found = made_cells(codecs=["ans"])
    assert all(np.isnan(cell["of_rle"]) for cell in found)
    assert "RLE" not in answer([found[0] | {"point": "a"}])


def cell(sent, chosen, told=0.0, **keys):
    about = {"point": "a", "index": 0, "ranges": "image", "bits": 4, "codec": "ans", "of_rle": 0.5}
    known = {"payload_bytes": sent, "chosen": chosen, "told": told, "told_error": 0.004}
    known |= {"bits_per_element": sent / 100, "change": (chosen + told) / 2, "change_error": 0.003}
    return about | known | keys


def test_the_best_is_chosen_on_one_half_and_told_by_the_other():
    found = [cell(50, -0.02, 0.01), cell(90, -0.01, -0.05), cell(70, -0.009, -0.03), cell(200, 0.0)]
    best = best_of(found, 0.01)
    assert (best["payload_bytes"], best["told"]) == (70, -0.03)
    assert best["sparse"] == 0.01  # 50 bytes of 0.5 bit an element
    assert best_of([cell(500, -0.5)], 0.01) == {"sparse": None, "sparse_error": None}
    assert answer([best]) == (
        "a: ans at 4 bit (ranges: image) sends 70 bytes a frame for -3.0 ± 0.4 points; "
        "RLE needs 2.0 times that."
    )
    assert "At no point does a codec keep" in answer([best_of([cell(500, -0.5)], 0.01)])


def test_of_equals_the_smaller_is_the_more_accurate():
    assert most_accurate([cell(9, -0.1), cell(8, 0.0), cell(7, 0.0)])["payload_bytes"] == 7
    assert most_accurate([]) == {}


def test_a_bottleneck_meets_the_best_codec_that_sends_no_more():
    point = points_of([4])[0]
    result = trained(point, 0.85)  # 16 bytes, unsplit 0.9
    config = {"bottleneck": {"code_elements": None, "compression_rate": 0.9}}
    run = SimpleNamespace(result=result, config=config, correct=None, unsplit_correct=None)
    found = [cell(15, -0.2, -0.1), cell(16, -0.02, -0.03), cell(17, 0.0)]
    (row,) = rivals([run], found)
    assert (row["payload_bytes"], row["bottleneck_bytes"], row["bottleneck"]) == (
        16,
        16,
        "rate 0.9",
    )
    assert row["bottleneck_change"] == pytest.approx(-0.05)
    assert row["ahead"] == pytest.approx(0.02)
    apart = (0.85 * 0.15 + 0.9 * 0.1) / result.accuracy.test_images
    assert row["ahead_error"] == pytest.approx(math.hypot(row["told_error"], math.sqrt(apart)))
    assert not list(rivals([run], [cell(17, 0.0)]))
    run.correct, run.unsplit_correct = (True, False, True, True), (True, True, True, False)
    (row,) = rivals([run], found)  # one gained, one lost of four: paired
    assert row["ahead_error"] == pytest.approx(math.hypot(row["told_error"], math.sqrt(0.5 / 4)))
    untrained = SimpleNamespace(result=replace(result, bottleneck=None), config=config)
    assert not list(rivals([untrained], found))


def test_the_verdict_counts_the_smallest_and_what_loses_beyond_its_error():
    pairs = [(1, -0.3), (4, 0.0), (1, -0.1), (4, -0.02), (1, -0.001), (4, 0.01)]
    found = [
        cell(sent, change, change, bits=bits, codec=codec, index=number // 2)
        for number, (bits, change) in enumerate(pairs)
        for codec, sent in (("rle", 40), ("ans", 55 - 10 * number))
    ]
    said = verdict(found)
    assert "Smallest of 6 times the same levels: ans 4, rle 2." in said
    assert (
        "lose more than twice their standard error, by bits (ranges: image): 2 at 1, 1 at 4."
        in said
    )


FILES = {f"{name}.csv": Table(name, (), []) for name in ("payload", "points", "bottlenecks")}


def studied(monkeypatch, of_net, result=RESULT):
    """The study of two nets, of one and of two points, with other findings of a net."""
    monkeypatch.setattr(study, "of_net", of_net)
    curves = (Curve("cui", points_of(sizes), (0.0,) * len(sizes)) for sizes in ([4], [4, 4]))
    runs = tuple(Run(None, result, CONFIG, curve) for curve in curves)
    return study.payload_study(
        Collection(runs, ()), lambda run: Seen({}, net=len(run.curve.points)), {}
    )


def test_a_net_without_the_point_is_left_out_and_the_others_are_studied(monkeypatch):
    """After minutes of work on the first, say."""

    def of_net(name, runs, net, options):
        if net == 2:
            raise ValueError("study.points='block3_pool' is no split point")
        return Findings(name, files=FILES)

    found = studied(monkeypatch, of_net)
    name = f"{RESULT.model} on {RESULT.data}, seed 0, net"
    assert [part.name for part in found.parts] == [f"{name} 1"]
    assert found.left_out == [f"{name} 2: study.points='block3_pool' is no split point"]


def test_nets_of_long_names_have_a_folder_each(monkeypatch):
    found = studied(
        monkeypatch,
        lambda name, *_: Findings(name, files=FILES),
        replace(RESULT, data="long" * 30),
    )
    assert len({part.slug for part in found.parts}) == 2
