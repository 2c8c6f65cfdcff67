"""``analyze.py study=payload`` on a smoke run: files, tables and figures that agree, refusals."""

import csv
import json
import shutil

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from pipeline.jobs import ROOT, compose_job

from isplit import runs

LAYERS = "split.layer=[block2_pool,block5_pool]"
DRAWN = True
SMALL = ("study.images=24", "study.calibration_images=20", "study.encoded_images=6")
POINTS = "study.points=[block2_pool,3,block5_pool]"
WIDE = ("study.bits=[1,4,8]", "study.ranges=[image,clip]", "study.codecs=[quantize,rle,ans]")


def compose_study(root, *overrides, output="payload"):
    where = [f"paths.root={root}", f"paths.output={root / output}", f"runs={root}"]
    where += ["logger=none", "threads=1", "study=payload", *SMALL]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("analyze", [*where, *overrides])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("payload")
    runs.train(compose_job(root, LAYERS, "bottleneck.compression_rate=0.5"))
    return root


@pytest.fixture(scope="module")
def studied(trained):
    runs.analyze(compose_study(trained, POINTS, *WIDE))
    return trained / "payload"


def table(folder, name):
    (path,) = folder.glob(f"*/{name}.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_files_and_figures_are_there(studied):
    (net,) = [path for path in studied.iterdir() if path.is_dir()]
    names = {path.name for path in net.iterdir()}
    assert {f"{n}.csv" for n in ("payload", "points", "distributions", "bottlenecks")} <= names
    assert {f"{n}.png" for n in ("accuracy", "sizes", "times", "distributions")} <= names
    together = {path.name for path in studied.iterdir()}
    assert {"nets.png", "retraining.svg", "report.html", "results.txt", "config.yaml"} <= together


def test_the_table_of_points_follows_from_the_cells(studied):
    cells, points = table(studied, "payload"), table(studied, "points")
    assert [row["point"] for row in points] == ["block2_conv1", "block2_pool", "block5_pool"]
    assert len(cells) == len(points) * 2 * 3 * 3
    for row in points:
        own = [cell for cell in cells if cell["point"] == row["point"]]
        good = [float(c["payload_bytes"]) for c in own if float(c["chosen"]) >= -0.01]
        assert float(row["payload_bytes"]) == min(good)
        best = next(c for c in own if c["payload_bytes"] == row["payload_bytes"])
        assert row["told"] == best["told"]
        elements = int(row["elements"])
        for cell in own:
            packed = -(-elements * int(cell["bits"]) // 8)
            around = {"clip": 8}.get(cell["ranges"], 32)
            assert float(cell["payload_bytes"]) <= packed + around
            if (cell["codec"], cell["ranges"]) == ("quantize", "clip"):
                assert float(cell["payload_bytes"]) == packed + 8


def test_the_answer_is_the_smallest_of_all_points(studied):
    points = table(studied, "points")
    best = min(points, key=lambda row: float(row["payload_bytes"]))
    said = (studied / "results.txt").read_text("utf-8").splitlines()[-1]
    assert f"{best['point']}: {best['codec']} at {best['bits']} bit" in said
    assert f"sends {float(best['payload_bytes']):,.0f} bytes a frame" in said
    page = (studied / "report.html").read_text("utf-8")
    assert said in page.replace("&#39;", "'")


def test_a_bottleneck_is_compared_by_what_its_job_said(studied, trained):
    rows = table(studied, "bottlenecks")
    assert {row["point"] for row in rows} == {"block2_pool", "block5_pool"}
    for row in rows:
        (place,) = trained.glob(f"job/*{row['point']}/result.json")
        result = json.loads(place.read_text("utf-8"))
        change = result["accuracy"]["after_finetune"] - result["accuracy"]["baseline"]
        assert float(row["bottleneck_change"]) == pytest.approx(change)
        assert float(row["ahead"]) == pytest.approx(float(row["told"]) - change)
        assert float(row["payload_bytes"]) <= float(row["bottleneck_bytes"])


def test_distributions_are_rising_and_begin_and_end_with_all(studied):
    rows = table(studied, "distributions")
    for point in {row["point"] for row in rows}:
        for of in ("coefficients", "channels", "frames"):
            own = [row for row in rows if (row["point"], row["of"]) == (point, of)]
            assert [float(own[0]["share"]), float(own[-1]["share"])] == [0, 1]
            assert (np.diff([float(row["value"]) for row in own]) >= 0).all()


def test_one_word_is_a_list_of_one_and_two_nets_stand_beside_each_other(trained, tmp_path):
    runs.train(compose_job(tmp_path, "seed=1", "split.layer=block5_pool"))
    shutil.copytree(trained / "job", tmp_path / "other")
    shutil.copytree(trained / "store", tmp_path / "store", dirs_exist_ok=True)
    few = ("study.points=block5_pool", "study.bits=[4]", "study.ranges=tensor", "study.codecs=rle")
    runs.analyze(compose_study(tmp_path, *few))
    assert len(list((tmp_path / "payload").glob("*/payload.csv"))) == 2
    said = (tmp_path / "payload" / "results.txt").read_text("utf-8").splitlines()[-1]
    assert "seed 0" in said
    assert "seed 1" in said
    assert "RLE needs" not in said


def test_a_net_that_is_gone_is_said_and_no_net_is_refused(trained, tmp_path):
    shutil.copytree(trained / "job", tmp_path / "job")
    with pytest.raises(ValueError, match=r"(?s)no net to study:.*vgg16 x 0\.125.*net 1: "):
        runs.analyze(compose_study(tmp_path))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            "study.points=[conv9]",
            r"study\.points='conv9' is neither auto, .*, top:3 nor a split",
        ),
        ("study.frames=nowhere", r"study\.frames=nowhere has 0 images"),
        ("study.codecs=[gzip]", r"study\.codecs=\[gzip\] is none of quantize"),
        ("study.bits=[9]", r"study\.bits=\[9\] is no list of whole numbers from 1 to 8"),
        ("study.ranges=[pixel]", r"study\.ranges=\[pixel\] is none of image"),
        ("study.max_loss=2", r"study\.max_loss=2 is no number from 0 up below 1"),
        ("study.jpeg_quality=100", r"study\.jpeg_quality=100 is no whole number from 1 to 95"),
    ],
)
def test_what_cannot_be_is_said_with_its_key(trained, mistake, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        runs.analyze(compose_study(trained, mistake, output="refused"))
