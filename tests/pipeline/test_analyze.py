import csv
import json
import re
import shutil
import subprocess
import sys

import pytest
import torch
import yaml
from bounds import bounded
from hydra import compose, initialize_config_dir
from pipeline.jobs import ROOT, compose_job
from run_folders import CALL, CONFIG, changed, make_run, malformed
from safetensors.torch import save_file
from scipy import stats

from isplit import runs
from isplit.backbones import build_backbone
from isplit.runs.base import Base
from isplit.runs.curves import curves_and_costs
from isplit.runs.reopened import reopened_or_why_not
from isplit.studies.collect import by_condition, collect

QUICK = ("logger=none", "study.images=40", "study.reductions=[{channels: sum}]")


def compose_analysis(root, *overrides, output="analysis"):
    where = (f"paths.root={root}", f"paths.output={root / output}", f"runs={root}")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("analyze", [*QUICK, *where, *overrides])


@pytest.fixture(scope="module")
def analysed(trained):
    runs.analyze(compose_analysis(trained))
    return trained / "analysis"


def folder_of(analysed, rate):
    (folder,) = [path for path in analysed.iterdir() if f"rate-{rate}-" in path.name]
    return folder


def test_every_condition_has_its_files(analysed):
    names = {path.name for path in folder_of(analysed, "0.9").iterdir()}
    assert {"curve.csv", "agreement.json"} <= names
    assert "agreement.json" not in {p.name for p in folder_of(analysed, "0.98").iterdir()}
    assert (analysed / "report.html").stat().st_size < 2_000_000


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_agreement_is_what_scipy_makes_of_the_table(analysed):
    folder = folder_of(analysed, "0.9")
    with (folder / "curve.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["accuracy"]]
    accuracy = [float(row["accuracy"]) for row in rows]
    found = json.loads((folder / "agreement.json").read_text(encoding="utf-8"))
    assert found["n"] == len(rows) == 4
    for kind in ("cui", "gradient", "probe", "size", "minus_nmse", "cui(channels=sum)"):
        values, score = [float(row[kind]) for row in rows], found["predictors"][kind]
        for name, statistic in (
            ("spearman", stats.spearmanr),
            ("kendall", stats.kendalltau),
            ("pearson", stats.pearsonr),
        ):
            expected = statistic(values, accuracy).statistic
            if score[name] is None:
                assert expected != expected  # accuracies without any spread
            else:
                assert score[name] == pytest.approx(expected, abs=1e-9)


def test_repeats_are_one_condition_and_show_the_noise(trained, analysed):
    groups = by_condition(collect([trained]).runs)
    assert sorted(map(len, groups.values())) == [2, 8]
    found = json.loads((folder_of(analysed, "0.9") / "agreement.json").read_text("utf-8"))
    assert found["noise"]["training_error"] is not None


def test_repeats_share_the_baseline_and_nothing_else(trained):
    one, again = (
        json.loads((trained / job / "02-block1_pool" / "result.json").read_text("utf-8"))
        for job in ("one", "again")
    )
    fingerprints = [{k: v["fingerprint"] for k, v in r["stages"].items()} for r in (one, again)]
    assert fingerprints[0]["baseline"] == fingerprints[1]["baseline"]
    assert fingerprints[0]["autoencoder"] != fingerprints[1]["autoencoder"]
    assert fingerprints[0]["finetune"] != fingerprints[1]["finetune"]


def test_a_training_may_belong_to_two_conditions(trained):
    """The same code at one point, asked for as a rate and as a number of elements."""
    rate = 1 - 205 / 2048  # of the elements at block1_pool
    one = compose_job(trained, "split.layer=block1_pool", f"bottleneck.compression_rate={rate}")
    other = compose_job(trained, "split.layer=block1_pool", "bottleneck.code_elements=205")
    folder = trained.parent / "shared_training"
    for name, cfg in {"rate": one, "code": other}.items():
        cfg.paths.output = str(folder / name)
        runs.train(cfg)
    found = collect([folder]).runs
    assert len({run.result.stages["finetune"].fingerprint for run in found}) == 1
    assert len(by_condition(found)) == 2


def test_what_cannot_be_read_is_named_and_left_out(trained, tmp_path):
    place = tmp_path / "runs"
    shutil.copytree(trained / "one", place / "one")
    for name, damage in {
        "half": lambda text: text[: len(text) // 2],
        "older": lambda text: text.replace('"schema": 2', '"schema": 0'),
        "lacking": lambda text: text.replace('"test_images"', '"images"'),
    }.items():
        shutil.copytree(trained / "two", place / name)
        path = place / name / "02-block1_pool" / "result.json"
        path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    shutil.copytree(trained / "one", place / "unfinished")
    (place / "unfinished" / "results.txt").unlink()
    found = collect([place])
    said = "\n".join(found.left_out)
    assert len(found.left_out) == 4
    assert "half written" in said
    assert "has schema 0, not 1" in said
    assert "accuracy.test_images: Field required" in said
    assert "has not finished" in said
    assert len(found.runs) == 5


def test_without_the_store_what_the_runs_know_is_used(trained):
    cfg = compose_analysis(trained, f"paths.store={trained / 'nowhere'}", output="poor")
    runs.analyze(cfg)
    header = (folder_of(trained / "poor", "0.9") / "curve.csv").read_text("utf-8").split("\n")[0]
    assert ",cui," in header
    assert ",size," in header
    assert "probe" not in header
    assert "has no baseline" in (trained / "poor" / "report.html").read_text("utf-8")


def test_a_curve_that_the_runs_made_otherwise_is_not_taken_for_the_cui(trained, tmp_path):
    run = copied(trained, tmp_path / "run", lambda c: c["split"]["cui"].update(channels="sum"))
    curves, _, missing = curves_and_costs(compose_analysis(trained), run, "gone")
    assert curves["cui(channels=sum)"] == run.curve
    assert "cui" not in curves
    assert missing[0].startswith("no cui, gradient, ")


def copied(trained, place, change):
    """One of the jobs under another folder, its config changed."""
    shutil.copytree(trained / "one", place)
    config = yaml.safe_load((place / "config.yaml").read_text("utf-8"))
    change(config)
    (place / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    return collect([place]).runs[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c["model"].update(width=0.5), r"model\.width was 0\.125 and is 0\.5"),
        (lambda c: c["data"].update(difficulty=0.9), "the images, classes or their preparation"),
        (lambda c: c["data"].update(image_size=48), r"model\.image_size was 32 and is 48"),
        (lambda c: c["data"].update(odd=1), "data.odd=1 is no key"),
        (lambda c: c.update(model=c["model"] | {"net": CALL}), "model.net calls os.makedirs"),
    ],
)
def test_a_baseline_of_something_else_is_not_opened(trained, tmp_path, change, reason):
    run = copied(trained, tmp_path / "run", change)
    assert re.search(reason, str(reopened_or_why_not(compose_analysis(trained), run)))


def test_nothing_is_written_where_a_run_says(trained, tmp_path):
    def elsewhere(config):
        config["data"] |= {"cache_dir": str(tmp_path / "theirs"), "download": True}
        config["paths"] = {"store": str(tmp_path / "theirs"), "cache": str(tmp_path / "theirs")}

    run = copied(trained, tmp_path / "run", elsewhere)
    assert isinstance(reopened_or_why_not(compose_analysis(trained), run), Base)
    assert not (tmp_path / "theirs").exists()


def test_the_stages_of_an_older_version_are_opened(trained, tmp_path):
    shutil.copytree(trained / "store" / "baseline", tmp_path / "store" / "baseline")
    for path in tmp_path.rglob("stage.json"):
        about = json.loads(path.read_text("utf-8"))
        del about["digest"]
        about["recipe"] |= {"data": "hashed otherwise"}
        about["recipe"]["model"] |= {"code": "hashed otherwise", "key_of_then": 1}
        path.write_text(json.dumps(about), encoding="utf-8")
    cfg = compose_analysis(trained, f"paths.store={tmp_path / 'store'}")
    (run, *_) = collect([trained / "one"]).runs
    assert isinstance(reopened_or_why_not(cfg, run), Base)


def test_a_net_of_ones_own_is_called_where_the_store_has_it_on_record(trained, tmp_path):
    own = ("model=custom", "model.net._target_=cases.Residual", "stage.baseline.epochs=0")
    runs.train(compose_job(tmp_path, *own, "data.classes=[A,B,C]", "split.layer=block1"))
    (run,) = collect([tmp_path / "job"]).runs
    assert isinstance(reopened_or_why_not(compose_analysis(tmp_path), run), Base)
    elsewhere = compose_analysis(trained)
    assert "model.net calls cases.Residual" in reopened_or_why_not(elsewhere, run)
    elsewhere.study.allow_code = True
    assert "has no baseline" in reopened_or_why_not(elsewhere, run)


QUICKEST = ("study.predictors=[size,depth]", "study.reductions=[]", "study.untrained=[]")


def test_malformed_folders_end_no_analysis_and_no_code_of_theirs_runs(
    trained, tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", "s3cret")
    made = malformed(tmp_path / "runs")
    make_run(tmp_path / "runs" / "calls", config=changed(CONFIG, "model.net", CALL))
    shutil.copytree(trained / "one", tmp_path / "runs" / "good")
    a_whole_analysis = 60.0  # with one folder that is as it should be
    with bounded(a_whole_analysis):
        runs.analyze(compose_analysis(tmp_path, *QUICKEST, f"runs={tmp_path / 'runs'}"))
    told = {record.message for record in caplog.records if record.message.startswith("left out: ")}
    assert len(told) >= len(made) - 1
    report = (tmp_path / "analysis" / "report.html").read_text("utf-8")
    assert "model.net calls os.makedirs" in report
    assert "s3cret" not in report
    assert not (tmp_path / "canary").exists()


def test_the_same_analysis_again_reads_the_curves_from_the_store(trained, analysed, caplog):
    caplog.set_level("INFO")
    runs.analyze(compose_analysis(trained, output="again_analysed"))
    assert "curve: reused" in caplog.text
    one, other = (
        (folder_of(trained / name, "0.9") / "curve.csv").read_bytes()
        for name in ("analysis", "again_analysed")
    )
    assert one == other


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("study.predictors=[cam]", r"study\.predictors=\[cam\] is none of .* \(cui, probe"),
        ("runs=nowhere", r"runs=nowhere is not a folder"),
    ],
)
def test_what_cannot_work_is_refused(trained, override, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        runs.analyze(compose_analysis(trained, override, output="refused"))
    assert not (trained / "refused" / "report.html").exists()


def test_a_folder_without_runs_says_what_makes_one(tmp_path):
    command = [sys.executable, str(ROOT / "analyze.py"), f"paths.root={tmp_path}", "logger=none"]
    said = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert said.returncode == 1
    assert "has no finished run: python train.py makes one" in said.stdout + said.stderr


def test_random_curves_are_of_random_weights_though_others_were_given(tmp_path):
    """The same architecture with two files of weights: the curve of the net knows neither."""
    curves = []
    for number in (1, 2):
        path, root = tmp_path / f"{number}.safetensors", tmp_path / str(number)
        torch.manual_seed(number)
        net = build_backbone("vgg16", 10, image_size=32, width=0.125, dropout=None)
        save_file(net.state_dict(), path)
        runs.train(compose_job(root, f"model.weights={path}"))
        only = ("study.predictors=[cui]", "study.untrained=[cui]", "study.heat_maps=0")
        runs.analyze(compose_analysis(root, *only, "study.reductions=[]"))
        with (root / "analysis" / "curve.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        curves.append([[float(row[kind]) for row in rows] for kind in ("cui", "random:cui")])
    (trained, random), (other, other_random) = curves
    assert random == other_random
    assert trained != other
    assert random not in (trained, other)
