"""``python train.py -m``: what is finished is left out, what fails stops nothing else."""

import csv
import importlib.util
import json
import os
import shutil
import signal
import time
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from hydra.core.plugins import Plugins
from PIL import Image
from pipeline.jobs import start_job
from sweeping import sweep

from isplit import runs
from isplit.sweeps.earlier import bring
from isplit.sweeps.jobs import Job
from isplit.sweeps.run import Outcome, _rows

POINTS = "split.layer=block1_pool,block3_pool,block5_pool"
MULTIRUN = "hydra.mode=MULTIRUN"  # -m, wherever it stands
NAMES = ["00-block1_pool", "01-block3_pool", "02-block5_pool"]
STORED = "[0-9a-f]" * 16
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="no Ray here: pip install -e .[ray]"
)


def states(folder):
    """What the summary says of each job."""
    document = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    return {job["name"]: job["state"] for job in document["jobs"]}


def results(folder):
    """The results by folder, without what depends on who came first and how long it took."""
    found = {}
    for path in sorted(folder.glob("*/result.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        result["stages"] = {name: s["fingerprint"] for name, s in result["stages"].items()}
        found[path.parent.name] = result
    return found


def makers(folder, stage):
    """How many of the jobs made a stage themselves."""
    made = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*/result.json")]
    return sum(not result["stages"][stage]["reused"] for result in made)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """The root of a sweep over three points, one job after the other."""
    root = tmp_path_factory.mktemp("sequential")
    assert sweep(root, POINTS) == 0
    return root


def test_every_job_has_a_folder_and_is_in_the_summary(swept):
    folder = swept / "sweep"
    assert states(folder) == dict.fromkeys(NAMES, "done")
    assert makers(folder, "baseline") == 1
    with (folder / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    accuracies = {name: r["accuracy"]["after_finetune"] for name, r in results(folder).items()}
    assert {row["job"]: float(row["accuracy/after_finetune"]) for row in rows} == accuracies
    table = (folder / "results.txt").read_text(encoding="utf-8")
    assert all(row["split/label"] in table and row["state"] in table for row in rows)


def test_given_again_it_runs_nothing_and_its_folder_is_whole(swept, capsys):
    assert sweep(swept, POINTS, folder="again", job=pytest.fail) == 0
    assert states(swept / "again") == dict.fromkeys(NAMES, "done before")
    assert results(swept / "again") == results(swept / "sweep")
    said = capsys.readouterr().out
    assert "3 jobs: 3 done before" in said
    assert f"python analyze.py runs={swept / 'again'}" in said


def test_a_result_that_is_gone_is_made_again(swept):
    (swept / "sweep" / NAMES[0] / "result.json").rename(swept / "kept.json")
    ran = []
    code = sweep(swept, POINTS, folder="gone", job=lambda cfg: ran.append(cfg.split.layer))
    (swept / "kept.json").rename(swept / "sweep" / NAMES[0] / "result.json")
    assert ran == ["block1_pool"]
    assert code == 1
    found = {NAMES[0]: "not finished", NAMES[1]: "done before", NAMES[2]: "done before"}
    assert states(swept / "gone") == found


def test_without_resume_all_run_again(swept):
    ran = []
    sweep(swept, POINTS, "sweep.resume=false", folder="all", job=lambda c: ran.append(c.seed))
    assert len(ran) == len(NAMES)


@pytest.mark.parametrize("launcher", ["processes", pytest.param("ray_here", marks=needs_ray)])
def test_several_processes_train_one_baseline_and_end_with_the_same_results(
    launcher, swept, tmp_path
):
    where = f"hydra.sweep.dir={tmp_path / 'sweep'}"
    process = start_job(tmp_path, MULTIRUN, POINTS, f"hydra/launcher={launcher}", where)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert "[02-block5_pool] " in output
    assert makers(tmp_path / "sweep", "baseline") == 1
    for stage in ("baseline", "curve"):
        assert len(list((tmp_path / "store" / stage).glob(STORED))) == 1
    assert results(tmp_path / "sweep") == results(swept / "sweep")


def test_a_failing_job_stops_no_other_and_is_told_with_its_reason(swept, capsys):
    classes = "split.classes=[A,B],[A,Z],[A,C]"
    assert sweep(swept, "split.layer=block5_pool", classes, folder="failing") == 1
    names = ["00-A_B", "01-A_Z", "02-A_C"]
    assert states(swept / "failing") == dict(zip(names, ("done", "failed", "done"), strict=True))
    said = capsys.readouterr().out
    assert "3 jobs: 2 done, 1 failed" in said
    assert "the same command again runs only what is not done" in said
    assert "01-A_Z: " in said
    assert "'Z' is none of the 10 classes" in said
    reason = (swept / "failing" / "01-A_Z" / "error.txt").read_text(encoding="utf-8")
    assert "'Z' is none of the 10 classes" in reason
    assert "Traceback" in reason


def test_an_error_of_the_program_is_told_too_and_forgotten_when_it_is_mended(swept):
    def broken(cfg):
        raise ZeroDivisionError("by nothing")

    one = "split.layer=block4_pool"
    assert sweep(swept, one, folder="broken", job=broken) == 1
    document = json.loads((swept / "broken" / "sweep.json").read_text(encoding="utf-8"))
    assert document["jobs"][0]["error"] == "ZeroDivisionError: by nothing"
    assert sweep(swept, one, folder="broken", job=runs.train) == 0
    assert states(swept / "broken") == {"00-block4_pool": "done"}


def test_a_launcher_that_gives_up_is_said_and_what_is_done_counts(swept, monkeypatch):
    launcher = SimpleNamespace(launch=Mock(side_effect=RuntimeError("a worker was killed")))
    monkeypatch.setattr(Plugins, "instantiate_launcher", lambda *_, **__: launcher)
    assert sweep(swept, f"{POINTS},block2_pool", folder="gave_up") == 1
    document = json.loads((swept / "gave_up" / "sweep.json").read_text(encoding="utf-8"))
    assert [job["state"] for job in document["jobs"]] == ["done before"] * 3 + ["not finished"]
    assert document["jobs"][3]["error"] == "the launcher gave up: a worker was killed"


def test_a_job_with_several_points_has_a_row_for_each(swept):
    two = "split.layer=[block1_pool,block3_pool],block5_pool"
    assert sweep(swept, two, folder="lists") == 0
    assert sweep(swept, two, folder="lists_again", job=pytest.fail) == 0
    for folder in ("lists", "lists_again"):
        with (swept / folder / "results.csv").open(encoding="utf-8") as file:
            labels = [row["split/label"] for row in csv.DictReader(file)]
        assert labels == ["block1_pool", "block3_pool", "block5_pool"]


@pytest.mark.parametrize("launcher", ["basic", "processes"])
def test_ctrl_c_sums_up_what_there_is(launcher, tmp_path):
    where = f"hydra.sweep.dir={tmp_path / 'sweep'}"
    long = ("stage.baseline.epochs=2000", f"hydra/launcher={launcher}")
    process = start_job(tmp_path, MULTIRUN, POINTS, *long, where, start_new_session=True)
    for _ in range(3000):
        if list(tmp_path.glob("store/baseline/*.part/last.ckpt")):
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert "3 jobs: 3 not finished" in output
    assert states(tmp_path / "sweep") == dict.fromkeys(NAMES, "not finished")


def changed(file, change):
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(json.dumps(content), encoding="utf-8")


def test_results_of_other_settings_are_not_told_as_those_of_the_sweep(swept):
    """Neither what lies in its own folder, nor what came to lie in the earlier one."""
    other, earlier = swept / "other", swept / "sweep" / NAMES[0] / "result.json"
    shutil.copytree(swept / "sweep" / NAMES[0], other / NAMES[0])
    lay = other / NAMES[0]
    changed(lay / "result.json", lambda r: r["stages"]["finetune"].update(fingerprint="0" * 16))
    config = (lay / "config.yaml").read_text(encoding="utf-8")
    was = config.replace("compression_rate: 0.9", "compression_rate: 0.5")
    (lay / "config.yaml").write_text(was, encoding="utf-8")
    assert sweep(swept, POINTS, folder="other") == 1
    assert states(other) == dict(zip(NAMES, ("failed", "done before", "done before"), strict=True))
    reason = json.loads((other / "sweep.json").read_text(encoding="utf-8"))["jobs"][0]["error"]
    assert "holds results of bottleneck.compression_rate=0.5" in reason
    before = earlier.read_bytes()
    changed(earlier, lambda r: r["stages"]["finetune"].update(fingerprint="0" * 16))
    ran = []
    sweep(swept, POINTS, folder="moved", job=lambda cfg: ran.append(cfg.split.layer))
    earlier.write_bytes(before)
    assert ran == ["block1_pool"]


def test_a_sweep_is_not_done_before_on_other_data(tmp_path):
    def draw(folder, count):
        for k in range(count):
            image = Image.new("RGB", (16, 16), (7 * k % 256, 100, 0))
            (tmp_path / "pictures" / folder).mkdir(parents=True, exist_ok=True)
            image.save(tmp_path / "pictures" / folder / f"{k}.png")

    draw("a", 20), draw("b", 20)
    data = ("data=folder", f"data.root={tmp_path / 'pictures'}", "data.images_per_class=null")
    words = ("split.layer=block5_pool", "data.image_size=32", "split.images=null", *data)
    assert sweep(tmp_path, *words) == 0
    assert sweep(tmp_path, *words, folder="same", job=pytest.fail) == 0
    draw("a", 60)
    assert sweep(tmp_path, *words, folder="more") == 0
    assert [*states(tmp_path / "more").values()] == ["done"]
    images = [
        r["accuracy"]["test_images"]
        for f in ("sweep", "more")
        for r in results(tmp_path / f).values()
    ]
    assert images[1] > images[0]
    shutil.rmtree(tmp_path / "pictures")
    assert sweep(tmp_path, *words, folder="gone", job=pytest.fail) == 1
    assert not (tmp_path / "gone" / "results.csv").exists()


def test_what_an_interrupted_job_left_makes_way_for_what_is_brought(tmp_path):
    earlier, folder = tmp_path / "earlier", tmp_path / "sweep" / "00-x"
    for place, text in ((earlier, "done"), (folder, "interrupted")):
        place.mkdir(parents=True)
        (place / "split_model.json").write_text(text)
    (earlier / "result.json").write_text("{}")
    for _ in range(2):
        bring(earlier, folder)
    assert (folder / "split_model.json").read_text() == "done"
    assert {path.name for path in folder.iterdir()} == {"split_model.json", "result.json"}


def test_the_column_of_what_was_varied_holds_what_was_said(swept):
    """A result calls the data by its ``name:``, which two files of ``conf/data`` may share."""
    job = Job((), None, "00-x", (("data", "letters_hard"),))
    (row,) = _rows(Outcome(job, "done", (swept / "sweep" / NAMES[0],)))
    assert row["data"] == "letters_hard"
    assert row["model"] == "vgg16 x 0.125"
