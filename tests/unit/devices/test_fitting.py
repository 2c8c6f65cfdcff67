"""Devices: times that come back exactly from made latencies, files, and what is refused."""

import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from isplit.devices import Device, Work, fit, load_device
from isplit.devices.__main__ import main
from isplit.devices.fitting import Net, calibration
from isplit.devices.measure import build, measure, works_of
from isplit.devices.measurements import read_measurements
from isplit.graph import split_at, split_points, trace
from isplit.graph.measure import split_work, total_work
from isplit.presets import preset_names, preset_of, save_preset

PUBLIC = Path(__file__).parents[4] / "shared" / "presets" / "mlperf_cpu_latency.csv"
HEADER = "system,model,width_mult,image_size,precision,mean_ms"
SIZES = (96, 128, 160, 192, 224)
TRUE = Device("made", 2e-11, 3e-10, 5e-5)


def table(tmp_path, *rows, header=HEADER, name="t.csv"):
    path = tmp_path / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file whose latencies follow the model exactly."""
    nets = [Net("mobilenet_v2", 1.0, px) for px in SIZES]
    nets += [Net("resnet18", 1.0, 64), Net("resnet18", 1.0, 128), Net("mobilenet_v2", 0.5, 96)]
    works = works_of(nets)
    rows = [
        f"board,{n.model},{n.width_mult},{n.image_size},fp32,{1000 * TRUE.seconds(works[n])!r}"
        for n in nets
    ]
    return table(tmp_path_factory.mktemp("made"), *rows)


def test_exact_latencies_give_their_times_back():
    rng = np.random.default_rng(0)
    works = [Work(*map(int, rng.integers(1, 10**9, 2)), int(rng.integers(1, 99))) for _ in range(5)]
    device = fit(works, [TRUE.seconds(work) for work in works], name="made")
    for key in ("seconds_per_dense_mac", "seconds_per_depthwise_mac", "seconds_per_layer"):
        assert getattr(device, key) == pytest.approx(getattr(TRUE, key), rel=1e-6)


def test_relative_errors_are_what_is_least():
    works = [Work(10**6, 0, 1), Work(10**9, 0, 2), Work(2 * 10**9, 0, 9), Work(10**7, 0, 30)]
    seconds = [0.01, 0.5, 1.9, 0.2]

    def loss(device):
        return sum((device.seconds(w) / s - 1) ** 2 for w, s in zip(works, seconds, strict=True))

    best = fit(works, seconds, name="x")
    for key in ("seconds_per_dense_mac", "seconds_per_layer"):
        for factor in (0.98, 1.02):
            moved = dataclasses.replace(best, **{key: getattr(best, key) * factor})
            assert loss(moved) > loss(best)


def test_a_depthwise_mac_is_never_cheaper_than_a_dense_one():
    works = [Work(10**9, 0, 50), Work(10**8, 10**8, 50), Work(10**7, 10**8, 20), Work(10**8, 0, 9)]
    device = fit(works, [0.02, 0.002, 0.0003, 0.002], name="x")
    assert device.seconds_per_depthwise_mac >= device.seconds_per_dense_mac > 0


def test_what_was_never_measured_is_not_guessed():
    device = fit([Work(10**6 * n, 0, n) for n in (1, 3, 9)], [0.1, 0.2, 0.6], name="dense")
    assert device.seconds(Work(10**6, 0, 1)) > 0
    with pytest.raises(ValueError, match="device=dense was fitted to nets without depthwise"):
        device.seconds(Work(10**6, 5, 1))


@pytest.mark.parametrize("works", [[Work(9, 1, 1)], [Work(9, 1, 1)] * 4, [Work(9), Work(8)]])
def test_too_few_different_nets(works):
    with pytest.raises(ValueError, match="different nets were measured on box: three times"):
        fit(works, [0.1] * len(works), name="box")


def test_latencies_that_cannot_be():
    works = [Work(n, n, n) for n in (1, 2, 3)]
    for seconds in ([0.1, 0, 0.1], [0.1, float("nan"), 1], [-1, 1, 1]):
        with pytest.raises(ValueError, match="latencies of box must be above 0"):
            fit(works, seconds, name="box")
    with pytest.raises(ValueError, match="3 nets and 1 latencies"):
        fit(works, [1.0], name="box")


def test_energy_only_where_power_was_measured():
    assert TRUE.joules(2.0) is None
    powered = dataclasses.replace(TRUE, power_W=5.0, power_kind="wall")
    assert powered.joules(2.0) == 10.0
    with pytest.raises(ValueError, match="power_kind of made must say how"):
        dataclasses.replace(TRUE, power_W=5.0)


@pytest.mark.parametrize("value", [-1e-9, float("nan"), float("inf"), "fast", True, None])
def test_times_that_cannot_be(value):
    with pytest.raises(ValueError, match=r"device.seconds_per_layer=.* is not within 0 and"):
        Device("x", 1e-9, 1e-9, value)
    with pytest.raises(ValueError, match="x would take no time"):
        Device("x", 0, 0, 0)


def test_anchored_to_a_net_it_is_exact_there_and_the_same_elsewhere_but_for_a_factor():
    net, other = Work(10**9, 10**7, 50), Work(10**6, 0, 3)
    anchored = TRUE.anchored(net, 3 * TRUE.seconds(net))
    assert anchored.seconds(net) == pytest.approx(3 * TRUE.seconds(net))
    assert anchored.seconds(other) == pytest.approx(3 * TRUE.seconds(other))
    for work, seconds in ((net, 0), (net, float("nan")), (Work(0), 1.0)):
        with pytest.raises(ValueError, match="device=made cannot be anchored to a net of"):
            TRUE.anchored(work, seconds)


def test_a_device_is_written_where_no_net_is_left_to_predict(tmp_path, capsys):
    """The fifth is the only depthwise one, of which the other four say nothing."""
    nets = ["squeezenet1_1@64", "squeezenet1_1@128", "mobilenet_v2@224", "resnet18@224"]
    parsed = [Net.parse(net) for net in [*nets, "vgg16@224"]]
    works = works_of(parsed)
    rows = [
        f"me,{net.model},1,{net.image_size},fp32,{1000 * TRUE.seconds(works[net])}"
        for net in parsed
    ]
    path = table(tmp_path, *rows)
    words = ["fit", "--measurements", str(path)]
    assert main([*words, "--out", str(tmp_path / "me.yaml")]) == 0
    assert load_device(str(tmp_path / "me.yaml")).error is None
    with pytest.raises(SystemExit):
        main([*words, "--evaluate"])
    assert "no net is left to predict" in capsys.readouterr().err


def test_files_of_devices(tmp_path):
    path = tmp_path / "mine.yaml"
    save_preset(TRUE, path)
    assert load_device(str(path)) == TRUE
    with pytest.raises(ValueError, match="device='pie' is neither a file nor one of jetson_nano"):
        load_device("pie")
    path.write_text("a: [")
    with pytest.raises(ValueError, match=r"device=.*mine.yaml"):
        load_device(str(path))
    path.write_text("- 1")
    with pytest.raises(ValueError, match="does not hold keys and values"):
        load_device(str(path))
    with pytest.raises(ValueError, match=r"device.speed is unknown; known are name"):
        preset_of(Device, {"speed": 3}, "device")
    with pytest.raises(ValueError, match=r"device.seconds_per_layer must be given"):
        preset_of(
            Device,
            {"name": "x", "seconds_per_dense_mac": 1.0, "seconds_per_depthwise_mac": None},
            "device",
        )


@pytest.mark.xdist_group("works")  # nets are counted once in a process
@pytest.mark.parametrize("name", preset_names("device"))
def test_presets_say_where_they_are_from_and_come_near_what_was_measured(name):
    device = load_device(name)
    assert device.name == name
    assert all((device.hardware, device.runtime, device.precision, device.statistic))
    assert all((device.source, device.date, device.confidence))
    assert device.error is not None or device.confidence.startswith("weak")
    works = works_of(map(Net.parse, device.measured))
    ratios = [device.seconds(works[Net.parse(n)]) / ms * 1000 for n, ms in device.measured.items()]
    assert device.nets == len(ratios)
    assert 0.9 < np.median(ratios) < 1.1
    assert 0.5 < min(ratios) <= max(ratios) < 1.5


def test_work_of_a_chain_by_hand():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.Linear(72, 5)
    )
    work = total_work(trace(net, torch.zeros(1, 3, 5, 5)))
    assert (work.dense_macs, work.depthwise_macs, work.layers) == (5400 + 360, 8 * 9 * 9, 3)
    assert work.parameters == sum(p.numel() for p in net.parameters())


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 1, 3, 3))
        self.conv = nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = nn.functional.conv2d(x, self.weight, None, 1, 1, 1, 4)
        x = nn.functional.conv2d(self.conv(x), self.weight, padding=1, groups=4)
        return self.head(x.mean((2, 3)))


def test_depthwise_as_a_function():
    work = total_work(trace(Functional(), torch.zeros(1, 4, 6, 6)))
    assert work.depthwise_macs == 2 * 36 * 4 * 9
    assert work.parameters == sum(p.numel() for p in Functional().parameters())


@pytest.mark.parametrize("model", ["vgg11", "resnet18", "mobilenet_v3_small"])
def test_head_and_tail_are_the_net(model):
    with torch.device("meta"):
        net, image = build(Net(model, 1.0, 64)), torch.empty(1, 3, 64, 64)
    traced = trace(net, image)
    points = split_points(traced)
    for point, (head, tail) in zip(points, split_work(traced, points), strict=True):
        assert head + tail == total_work(traced)
        assert head.dense_macs + head.depthwise_macs == point.head_macs
        assert tail.dense_macs + tail.depthwise_macs == point.tail_macs
        assert head.parameters == point.head_params
    pieces = split_at(traced, points[2])
    assert (
        sum(p.numel() for p in pieces[0].parameters())
        == split_work(traced, points)[2][0].parameters
    )


def test_the_command_fits(made, tmp_path, capsys):
    out = tmp_path / "board.yaml"
    assert main(["fit", "--measurements", str(made), "--out", str(out)]) == 0
    device = load_device(str(out))
    assert device.seconds_per_dense_mac == pytest.approx(TRUE.seconds_per_dense_mac, rel=1e-5)
    assert device.error == pytest.approx(0, abs=1e-6)
    assert "8 nets" in capsys.readouterr().out


def test_the_command_evaluates(made, tmp_path, capsys):
    out = tmp_path / "e.json"
    assert main(["fit", "--measurements", str(made), "--evaluate", "--json", str(out)]) == 0
    (system,) = json.loads(out.read_text())["systems"]
    assert system["system"] == "board"
    assert len(system["calibration"]) == 4
    assert len(system["nets"]) == 4
    for net in system["nets"]:
        assert {k: net[k] for k in ("model", "width_mult", "image_size")} not in system[
            "calibration"
        ]
        assert net["predicted_ms"] == pytest.approx(net["measured_ms"], rel=1e-5)
    assert "family held out, resnet, 1 systems: median error of a system 0.0%" in (
        capsys.readouterr().out
    )


FOUR = [f"s,resnet18,1,{px},fp32,{px}" for px in (64, 96, 128, 160)]


@pytest.mark.parametrize(
    ("rows", "words", "text"),
    [
        (["s,resnet18,1,64,fp32,5"], ["--evaluate"], "the most is 1"),
        (["s,resnet18,1,64,fp32,5"], ["--out", "d.yaml"], "1 different nets were measured on d"),
        (FOUR, ["--evaluate"], "no system has more than 4 nets"),
        ([], ["--evaluate"], "none"),
        (
            FOUR,
            ["--evaluate", "--system", "t"],
            "--system t --precision None must name one system of: s fp32",
        ),
        ([*FOUR, "t,resnet18,1,64,int8,5"], ["--out", "d.yaml"], "s fp32; t int8"),
        ([*FOUR, "s,resnet19,1,64,fp32,5"], ["--evaluate"], "model='resnet19' is no classifier"),
        ([*FOUR, "s,resnet18,0.5,64,fp32,5"], ["--evaluate"], "resnet18 has one width"),
        ([*FOUR, "s,resnet18,1,64,fp32,-1"], ["--evaluate"], "line 6: mean_ms='-1' is no number"),
        ([*FOUR, "s,resnet18,1,64,fp32,nan"], ["--evaluate"], "line 6: mean_ms='nan' is no"),
        ([*FOUR, "s,resnet18,1,x,fp32,3"], ["--evaluate"], "line 6: image_size='x' is no number"),
        ([*FOUR, "s,resnet18,1,9.5,fp32,3"], ["--evaluate"], "line 6: image_size='9.5' is no"),
        ([*FOUR, ",resnet18,1,64,fp32,3"], ["--evaluate"], "line 6: system or model is empty"),
        (FOUR, ["--out", "d.yaml", "--json", "j"], "--json goes with --evaluate"),
        (FOUR, ["--evaluate", "--statistic", "p50_ms"], "column p50_ms is missing"),
        (FOUR, ["--out", "d.yaml", "--statistic", "mean_s"], "of milliseconds ends in _ms"),
    ],
)
def test_files_that_cannot_be_fitted(tmp_path, monkeypatch, capsys, rows, words, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["fit", "--measurements", str(table(tmp_path, *rows)), *words])
    assert text in capsys.readouterr().err
    assert not (tmp_path / "d.yaml").exists()


def test_files_that_are_none(tmp_path):
    with pytest.raises(ValueError, match="there is no such file"):
        read_measurements(tmp_path / "absent.csv")
    with pytest.raises(ValueError, match="column system is missing"):
        read_measurements(table(tmp_path, "1", header="a"))


def test_rows_without_a_latency_are_left_out_and_said(tmp_path):
    path = table(tmp_path, *FOUR, "s,resnet50,1,64,fp32,")
    with pytest.warns(UserWarning, match="1 rows without mean_ms"):
        assert len(read_measurements(path)["s", "fp32"]) == 4


def test_of_a_net_measured_twice_the_median_counts(tmp_path):
    path = table(tmp_path, *FOUR, "s,resnet18,1.0,64,fp32,70", "s,resnet18,1,64,fp32,99")
    assert read_measurements(path)["s", "fp32"][Net("resnet18", 1.0, 64)] == 70


def test_calibration_spans_the_sizes():
    works = {Net("n", 1.0, px): Work(px) for px in range(1, 14)}
    assert [net.image_size for net in calibration(list(works), works)] == [1, 5, 9, 13]


def test_names_of_nets():
    for text in ("resnet50@224", "mobilenet_v2*0.35@96"):
        assert str(Net.parse(text)) == text
    with pytest.raises(ValueError, match="net 'resnet50' is not like"):
        Net.parse("resnet50")


def test_a_table_whose_whole_numbers_have_a_point_is_read(tmp_path):
    (nets,) = read_measurements(table(tmp_path, "s,resnet18,1.0,64.0,fp32,5")).values()
    assert nets == {Net("resnet18", 1.0, 64): 5}


def test_what_torchvision_does_not_have_is_said_before_anything_is_timed(monkeypatch):
    monkeypatch.setattr("isplit.devices.measure.timed", None)
    nets = (Net("resnet18", 1.0, 32), Net("resnet19", 1.0, 32))
    with pytest.raises(ValueError, match="'resnet19' is no classifier of torchvision"):
        next(measure(["torch"], nets, 1, 1))


def test_this_machine_is_measured(tmp_path, monkeypatch, capsys):
    nets = tuple(Net("resnet18", 1.0, px) for px in (32, 64, 96))
    monkeypatch.setattr("isplit.devices.__main__.NETS", nets)
    out = tmp_path / "here.csv"
    words = ["--out", str(out), "--name", "my/board", "--runtime", "torch", "--threads", "1"]
    assert main(["measure", *words, "--repeats", "3", "--net", "mobilenet_v2*0.35@32"]) == 0
    rows = list(csv.DictReader(out.open()))
    assert [row["image_size"] for row in rows] == ["32", "64", "96", "32"]
    assert all(row["system"] == "my-board-torch" for row in rows)
    device = load_device(str(tmp_path / "my-board-torch.yaml"))
    assert device.nets == 4
    assert device.statistic == "p50_ms"
    assert "error for nets held out unknown" in capsys.readouterr().out


def test_measurements_that_cannot_be():
    with pytest.raises(ValueError, match="--runtime tensorrt is not installed here; torch"):
        next(measure(["tensorrt"], [], 1, 1))
    with pytest.raises(ValueError, match="--threads 0 is below 1"):
        next(measure(["torch"], [], 0, 1))


def test_importing_devices_needs_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None; import isplit.devices, isplit.matching\n"
        "import isplit.devices.__main__\n"
        "bad = {'hydra', 'lightning', 'matplotlib', 'rich', 'torchvision'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not PUBLIC.is_file(), reason=f"{PUBLIC} is not here")
@pytest.mark.data
def test_public_systems_are_within_ten_percent(tmp_path):
    out = tmp_path / "e.json"
    assert main(["fit", "--measurements", str(PUBLIC), "--evaluate", "--json", str(out)]) == 0
    errors = [
        [abs(n["predicted_ms"] / n["measured_ms"] - 1) for n in system["nets"]]
        for system in json.loads(out.read_text())["systems"]
    ]
    medians = [np.median(e) for e in errors]
    assert len(errors) == 32
    assert np.median(medians) < 0.10
    assert np.quantile(medians, 0.9) < 0.30
    assert np.quantile(np.concatenate(errors), 0.9) < 0.30
