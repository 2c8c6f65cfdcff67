"""The study of latency from trained runs to its files, which agree with each other."""

import csv
import json

import pytest
from jobs import compose_job
from pipeline.test_analyze import compose_analysis

from isplit import runs

WORDS = ("study=latency", "device=pi3", "server=t4", "channel=lte", "requirement.p95_ms=90")


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    root = tmp_path_factory.mktemp("latency")
    runs.train(compose_job(root, "split.layer=[block2_pool,block3_pool]", output="one"))
    quick = ("study.frames=20", "study.images=40", "study.loss=[0,0.3]", "channel.mtu_bytes=200")
    cfg = compose_analysis(root, "logger=none", *WORDS, *quick)
    runs.analyze(cfg)
    return root / "analysis"


def test_files_agree(analysed):
    document = json.loads((analysed / "designs.json").read_text(encoding="utf-8"))
    with (analysed / "designs.csv").open(encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    ranked, rejected = document["ranked"], document["rejected"]
    every = {d["name"]: d for d in [*ranked, *(r["design"] for r in rejected)]}
    assert list(rows) == list(every) == list(dict.fromkeys(rows))
    assert [d["scenario"] for d in every.values()].count("SC") == 2
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
