"""Sweep files are what W&B's own schema and engine take, and stand for the multirun's jobs."""

import json
import shlex

import pytest
import sweep_file as module
import sweeps
import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from make import main, text_of
from pipeline.jobs import ROOT
from sweep_file import FOLDER, PROGRESS, runs_of, sweep_file
from sweeping import jobs
from sweeps.config import schema_violations_from_proposed_config
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from isplit.sweeps.points import main as points_command

FILES = sorted((ROOT / "sweeps").glob("*.yaml"))
GRIDS = [path for path in FILES if "every_point" in path.stem]
FIRST = {"seed": "seed=0", "bottleneck.compression_rate": "bottleneck.compression_rate=0.9"}
TINY = ("model=vgg16_tiny", "data=letters_easy")


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def made_by(path):
    """The words of the command in a file's header."""
    (line,) = [line for line in path.read_text().splitlines() if "sweeps/make.py" in line]
    return shlex.split(line.split("sweeps/make.py ")[1])


def overrides_of(document, run):
    """What W&B's agent would say to Hydra for a run, the folder aside."""
    args = create_sweep_command_args({"args": run.config})["args_no_hyphens"]
    fixed = [word for word in document["command"] if not word.startswith("${")]
    return frozenset([*fixed, *args]) - {FOLDER}


def enumerated(document):
    """The jobs of a grid by W&B's engine, which must come to an end."""
    total = runs_of(document)
    *runs, end = sweeps.next_runs(document, [], validate=True, n=total + 1)
    assert end is None
    return [overrides_of(document, run) for run in runs]


def make(*words, **keys):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return sweep_file(words, lambda overrides: compose("train", list(overrides)), **keys)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_keeps_to_the_schema_of_wandb(path):
    assert schema_violations_from_proposed_config(read(path)) == []


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_a_file_stands_for_the_jobs_of_its_multirun(path, tmp_path):
    """Of one rate and seed, since composing them all takes long; `slow` has the whole."""
    words = [FIRST.get(word.split("=")[0], word) for word in made_by(path)]
    multirun = {frozenset(job.overrides) for job in jobs(tmp_path, *words, "split.layer=all")}
    assert len(multirun) == 18 * 4
    found = enumerated(read(path))
    assert len(set(found)) == len(found) == 18 * 4 * 2 * 2
    assert {job for job in found if job >= {*FIRST.values()}} == multirun


@pytest.mark.slow
@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_a_file_is_what_its_command_makes(path, tmp_path, monkeypatch):
    words = made_by(path)
    multirun = jobs(tmp_path, *words, "split.layer=all")
    assert set(enumerated(read(path))) == {frozenset(job.overrides) for job in multirun}
    monkeypatch.setattr(module, "jobs_of", lambda commands, compose: multirun)
    made = text_of(make(*words), words, path.relative_to(ROOT))
    assert made == path.read_text(encoding="utf-8")


def test_a_model_of_ones_own_choice_has_its_own_points(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    path = tmp_path / "mine.yaml"
    words = ["model=mobilenet_v3_small", "data=letters_easy", "seed=0,1"]
    assert main([*words, "--output", str(path)]) == 0
    assert "26 runs; now: wandb sweep" in capsys.readouterr().out
    expected = {frozenset(job.overrides) for job in jobs(tmp_path, *words, "split.layer=all")}
    assert set(enumerated(read(path))) == expected
    assert read(path)["name"] == "mine"


def test_what_does_not_vary_stands_in_the_command_as_it_was_typed():
    words = (*TINY, "data.root='a, b'", "data.classes=[A,B]", "model.weights=null")
    document = make(*words, "split.layer=block1_pool", "seed=3,1")
    assert document["command"][4:-1] == [*words, "split.layer=block1_pool"]
    assert document["parameters"] == {"seed": {"values": [3, 1]}}


def test_hyperband_stops_the_worst_runs():
    document = read(ROOT / "sweeps" / "vgg16_small_hyperband.yaml")
    assert document["metric"] == {"name": PROGRESS, "goal": "maximize"}
    runs = [
        sweeps.SweepRun(
            name=f"run{level}",
            state=sweeps.RunState.running,
            sampledHistory=[{PROGRESS: level / 10}] * 5,
        )
        for level in range(9)
    ]
    stopped = {run.name for run in sweeps.stop_runs(document, runs)}
    assert "run8" not in stopped
    assert {"run0", "run1", "run2"} <= stopped


def test_intervals_are_drawn_from():
    document = read(ROOT / "sweeps" / "vgg16_small_hyperband.yaml")
    rate, learning = "bottleneck.compression_rate", "stage.finetune.learning_rate"
    for method in ("random", "bayes"):
        run = sweeps.next_run(document | {"method": method}, [])
        assert 0.8 <= run.config[rate]["value"] <= 0.99
        assert 1e-4 <= run.config[learning]["value"] <= 5e-3
    words = made_by(ROOT / "sweeps" / "vgg16_small_hyperband.yaml")
    keys = {"name": document["name"], "method": "bayes", "hyperband": 3}
    assert make(*[word for word in words if "=" in word and word[0] != "-"], **keys) == document


RATE, DRAWN = "bottleneck.compression_rate", {"method": "random"}


@pytest.mark.parametrize(
    ("words", "keys", "message"),
    [
        (TINY, {"method": "gird"}, r"--method gird is none of grid, random, bayes"),
        ([*TINY, "split.layer=auto"], {}, r"nothing varies; that is a job"),
        (["model=vgg16_tiny,resnet18", "data=letters_easy"], {}, r"28 jobs, but .* file for each"),
        ([*TINY, "seed=interval(0,1)"], {}, r"seed: a grid has no intervals"),
        ([*TINY, "data.root=null,x"], {}, r"data\.root=null cannot vary in a W&B sweep"),
        ([*TINY, "data.root='a,b',c"], {}, r"data\.root='a,b' cannot vary"),
        ([*TINY, "++seed=1,2"], {}, r"\+\+seed=1: W&B has no parameter of that name"),
        ([*TINY, f"{RATE}=interval(0.9,0.8)"], DRAWN, r"=interval\(0.9,0.8\): from the lower to"),
        ([*TINY, f"{RATE}=interval(0.9,2)"], DRAWN, rf"{RATE}=2.0 is no number above 0 below 1"),
        ([*TINY, "seed=tag(log,int(interval(0,9)))"], DRAWN, r"seed=.*: from .* end, above 0"),
        ([*TINY, "seed=interval(1,9)"], DRAWN, r"seed=9.0 is no whole number"),
        (TINY, {"hyperband": 0}, r"--hyperband 0 is no number of epochs"),
        ([*TINY, "hydra.run.dir=x"], {}, r"hydra.run.dir: each run has a folder of its own"),
        ([*TINY, "split.layer=conv99"], {}, r"split\.layer='conv99' is neither"),
    ],
)
def test_what_no_sweep_can_do_is_refused(words, keys, message):
    with pytest.raises((ValueError, HydraException), match=message):
        make(*words, **keys)


@pytest.mark.parametrize(
    ("word", "said"),
    [("split.layer=auto", "nothing varies"), ("foo", "foo: cannot be read as key=value")],
)
def test_the_command_says_what_is_wrong_in_one_line(capsys, word, said):
    with pytest.raises(SystemExit):
        main([*TINY, word])
    assert said in capsys.readouterr().err.rstrip().rpartition("\n")[2]


def test_a_file_is_made_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*TINY]) == 0
    assert read(tmp_path / "sweeps" / "vgg16_every_point.yaml")["program"] == "train.py"


def test_the_points_of_a_model_are_listed(tmp_path, capsys):
    path = tmp_path / "new" / "points.json"
    assert points_command(["resnet18", "data.image_size=64", "--json", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "10 split points of resnet18 at 64 px" in printed
    assert "layer2.0" in printed
    assert "128x8x8" in printed
    points = json.loads(path.read_text())["points"]
    assert [p["name"] for p in points][:3] == ["relu", "maxpool", "layer1.0"]


def test_the_points_of_any_config_are_listed(capsys):
    assert points_command(["model=vgg16_tiny", "split.granularity=all"]) == 0
    assert "block5_pool" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("resnt50", r"model.arch='resnt50' is none of torchvision's: resnet50,"),
        ("seed=-1", "seed=-1"),
        ("resnet18 resnet50", "model.arch=resnet18, model.arch=resnet50: one model at a time"),
        ("model=custom model.net._target_=no.Net", "error: Error locating target 'no.Net'"),
        ("model=vgg16_tiny --json /proc/none/points.json", "No such file or directory"),
    ],
)
def test_what_has_no_points_is_refused_in_one_line(word, text, capsys):
    with pytest.raises(SystemExit):
        points_command(word.split())
    assert text in capsys.readouterr().err
