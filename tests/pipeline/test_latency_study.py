"""The study of latency from trained runs to its files, which agree with each other."""

import csv
import json
import os
import subprocess
import sys

import pytest
from pipeline.jobs import ROOT, compose_job
from pipeline.test_analyze import compose_analysis

from isplit import runs
from isplit.devices.__main__ import main as devices

DRAWN = True
WORDS = ("study=latency", "device=pi3", "server=t4", "channel=lte", "requirement.p95_ms=90")


QUICK = ("study.frames=20", "logger=none")
MEASURED = """system,model,width_mult,image_size,precision,mean_ms
board,mobilenet_v2,1,224,fp32,57.6
board,mobilenet_v3_small,1,224,fp32,23.5
board,resnet18,1,64,fp32,14.5
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("latency")
    runs.train(compose_job(root, "split.layer=[block2_pool,block3_pool]", output="one"))
    return root


@pytest.fixture(scope="module")
def analysed(root):
    quick = (*QUICK, "study.images=40", "study.loss=[0,0.3]", "channel.mtu_bytes=200")
    cfg = compose_analysis(root, *WORDS, *quick)
    runs.analyze(cfg)
    return root / "analysis"


def test_files_agree(analysed):
    document = json.loads((analysed / "designs.json").read_text(encoding="utf-8"))
    with (analysed / "designs.csv").open(encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    ranked, rejected = document["ranked"], document["rejected"]
    every = {d["name"]: d for d in [*ranked, *(r["design"] for r in rejected)]}
    assert list(rows) == list(every) == list(dict.fromkeys(rows))
    splits = [d for d in every.values() if d["scenario"] == "SC"]
    measured = [d["layer"] for d in splits if d["accuracy_low"] is None]
    assert sorted(measured) == ["block2_pool", "block3_pool"]
    assert len({d["layer"] for d in splits}) == len(splits) == 18
    for number, design in enumerate(ranked, 1):
        assert rows[design["name"]]["rank"] == str(number)
        assert design["p95_ms"] <= 90
    for one in rejected:
        (miss,) = one["misses"]
        assert miss["by"] == pytest.approx(one["design"]["p95_ms"] - 90)
        assert "p95_ms is" in rows[one["design"]["name"]]["misses"]
    for name, times in document["times"].items():
        assert float(rows[name]["mean_ms"]) == pytest.approx(times["mean_ms"])
        assert float(rows[name]["p95_ms"]) == pytest.approx(every[name]["p95_ms"])
    assert document["sentence"] in " ".join((analysed / "results.txt").read_text("utf-8").split())


def test_accuracy_under_loss_is_that_of_the_split_where_nothing_is_lost(analysed):
    lost = json.loads((analysed / "designs.json").read_text(encoding="utf-8"))["under_loss"]
    assert len(lost) == 5 * 3 * 2 * 2
    plain = [row for row in lost if row["loss"] == 0 and row["payload"] == "features, float32"]
    assert len({row["accuracy"] for row in plain}) == 1
    assert {row["layout"] for row in lost} == {"contiguous", "interleaved", "one payload"}
    names = {path.name for path in analysed.iterdir()}
    assert {"latency.png", "latency.svg", "loss.png", "loss.svg", "report.html"} <= names


def test_a_device_and_a_channel_of_ones_own_are_fitted_and_then_chosen(root, tmp_path):
    (tmp_path / "board.csv").write_text(MEASURED, encoding="utf-8")
    for group in ("device", "channel"):
        (tmp_path / "my files" / group).mkdir(parents=True)
    fitted = tmp_path / "my files" / "device" / "board.yaml"
    assert devices(["fit", f"--measurements={tmp_path / 'board.csv'}", f"--out={fitted}"]) == 0
    link = tmp_path / "my files" / "channel" / "link.yaml"
    link.write_text(
        "defaults: [_base]\nname: link\nup_bit_s: 1e6\ndown_bit_s: 1e6\nround_trip_s: 0.1\n",
        "utf-8",
    )
    choices = ("study=latency", "device=board", "server=board", "channel=link", "channel.loss=0")
    folders = (f"paths.root={root}", f"paths.output={tmp_path / 'out'}", f"runs={root}")
    words = [*choices, "--config-dir=my files", *QUICK, *folders]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, ROOT / "analyze.py", *words], check=True, cwd=tmp_path, env=environment
    )
    document = json.loads((tmp_path / "out" / "designs.json").read_text(encoding="utf-8"))
    times = document["times"]
    local, remote = times["all on the device"], times["all on the server, JPEG of quality 90"]
    assert remote["server_ms"] > local["device_ms"] > 0  # it decodes the image, too
    assert remote["answer_ms"] > 50
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "board" in report
    assert "link, loss 0" in report
