"""``analyze.py study=classes``: the proposal, the commands, both splits on both subsets."""

import csv
import json
import math
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
from hydra import compose, initialize_config_dir
from isplit.analysis.classes import Subset
from isplit.runs.subset_jobs import SubsetJob, is_part_of, recipe
from omegaconf import OmegaConf
from pipeline.jobs import ROOT, compose_job

from isplit import runs
from isplit.analysis.collect import collect


def compose_study(root: Path, output: str, *overrides: str):
    """The config of ``python analyze.py study=classes`` with these overrides."""
    where = [f"paths.root={root}", f"paths.output={root / output}", "logger=none", "threads=1"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("analyze", ["study=classes", f"runs={root / 'job'}", *where, *overrides])


def study(root: Path, output: str, *overrides: str):
    """What the study writes into ``classes.json``."""
    runs.analyze(compose_study(root, output, *overrides))
    return json.loads((root / output / "classes.json").read_text(encoding="utf-8"))


def rows(path: Path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with a finished job on all ten letters."""
    folder = tmp_path_factory.mktemp("classes")
    runs.train(compose_job(folder))
    return folder


@pytest.fixture(scope="module")
def proposed(root):
    return study(root, "proposed", "study.classes_per_subset=3")


@pytest.fixture(scope="module")
def tried(root, proposed):
    """The same with everything trained."""
    return study(root, "tried", "study.classes_per_subset=3", "study.run=true")


@pytest.fixture
def undrawn(monkeypatch):
    """Figures take most of the time."""
    monkeypatch.setattr("isplit.outputs.classes.save", lambda figure, path: [])


def the_run(root):
    (run,) = collect([root / "job"]).runs
    return run


def test_without_training_there_is_a_proposal_and_a_command_for_each_training(root, proposed):
    (finding,) = proposed["conditions"]
    assert len(finding["peaks"]) == 10
    assert [len(subset["classes"]) <= 3 for subset in finding["subsets"]] == [True, True]
    assert not set(finding["subsets"][0]["classes"]) & set(finding["subsets"][1]["classes"])
    assert len(finding["commands"]) == 4
    assert finding["shift"] is None
    assert "Nothing was retrained" in finding["verdict"]
    assert finding["left_out"] == ["4 of 4 trainings of the subsets"]
    assert not list((root / "proposed").rglob("result.json"))
    files = {path.name for path in (root / "proposed").iterdir()}
    assert {"classes.csv", "classes.txt", "classes.png", "f1.svg", "f1.csv"} <= files


def test_the_table_says_what_the_predictions_say(root, tried):
    table = rows(root / "tried" / "classes.csv")
    assert [row["subset"] for row in table] == ["1", "2"]
    for row, subset in zip(table, tried["conditions"][0]["subsets"], strict=True):
        splits = [row["first_split"], row["second_split"]]
        right = {}
        for split in splits:
            folder = root / "tried" / f"subset-{row['subset']}-{split}"
            answers = rows(folder / "predictions.csv")
            right[split] = [answer["label"] == answer["finetune"] for answer in answers]
            result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
            assert result["per_class"]["class_names"] == subset["classes"]
            assert result["split"]["label"] == split
        preferred, other = sorted(splits, key=lambda split: split != row["prefers"])
        d = [a - b for a, b in zip(right[preferred], right[other], strict=True)]
        error = math.sqrt((fmean(x * x for x in d) - fmean(d) ** 2) / len(d))
        assert float(row["preferred_minus_other"]) == pytest.approx(fmean(d))
        assert float(row["error"]) == pytest.approx(error)
        assert (row["beyond_error"] == "True") == (abs(fmean(d)) > 2 * error)
        assert int(row["test_images"]) == len(d)
        for split, column in zip(splits, ("accuracy_first", "accuracy_second"), strict=True):
            assert float(row[column]) == pytest.approx(fmean(right[split]))


def test_f1_of_each_class_is_told_before_and_after(root, tried):
    table = rows(root / "tried" / "f1.csv")
    subsets = tried["conditions"][0]["subsets"]
    assert len(table) == 10 + 2 * sum(len(subset["classes"]) for subset in subsets)
    for row in (row for row in table if row["subset"] != "0"):
        folder = root / "tried" / f"subset-{row['subset']}-{row['split']}"
        per_class = json.loads((folder / "result.json").read_text(encoding="utf-8"))["per_class"]
        place = per_class["class_names"].index(row["class"])
        assert float(row["f1_unsplit"]) == per_class["baseline_f1"][place]
        assert float(row["f1_split"]) == per_class["split_f1"][place]
    names = {path.name for path in (root / "tried").glob("f1*.png")}
    assert names == {"f1.png", "f1_subset_1.png", "f1_subset_2.png"}


def test_the_subsets_share_a_baseline_and_are_trained_by_the_recipe_of_all(root, tried):
    whole = the_run(root)
    found = collect([root / "tried"]).runs
    assert len(found) == 4
    assert len({run.result.stages["baseline"].fingerprint for run in found}) == 2
    for run in found:
        assert is_part_of(run, whole)
        assert not is_part_of(whole, run)
        assert run.config["stage"] == whole.config["stage"]


def test_what_is_finished_is_found_again_and_is_no_condition_of_its_own(root, tried, undrawn):
    """Also without ``study.run``, and in the folders that commands would have written."""
    again = study(
        root, "again", "study.classes_per_subset=3", f"runs=[{root / 'tried'},{root / 'job'}]"
    )
    assert again == tried | {"conditions": [tried["conditions"][0] | {"commands": []}]}
    assert not list((root / "again").rglob("result.json"))


def composed(command):
    """The config that a printed command stands for."""
    program, script, *words = shlex.split(command)
    assert (program, script) == ("python", "train.py")
    options = dict(word.lstrip("-").split("=", 1) for word in words if word.startswith("--"))
    overrides = [w for w in words if not w.startswith(("--", "hydra."))]
    folder = options.get("config-path", str(ROOT / "conf"))
    with initialize_config_dir(folder, version_base="1.3"):
        return compose(options.get("config-name", "train"), overrides)


def test_a_command_stands_for_the_training_that_the_study_makes(root, proposed, tried):
    """Of a job that was no command: it begins from the config that the job left."""
    commands = proposed["conditions"][0]["commands"]
    cfgs = [OmegaConf.to_container(composed(command), resolve=True) for command in commands]
    made = {run.folder.name: run.config for run in collect([root / "tried"]).runs}
    assert len(cfgs) == len(made) == 4
    for cfg in cfgs:
        job = made[Path(cfg["paths"]["output"]).name]
        for group in ("data", "model", "bottleneck", "stage", "seed", "repeat"):
            assert cfg[group] == job[group]
        assert cfg["split"]["layer"] == job["split"]["layer"]


def test_a_command_uses_the_words_of_the_one_that_made_the_job(root, tmp_path):
    job = tmp_path / "job"
    (job / ".hydra").mkdir(parents=True)
    for name in ("config.yaml", "curve.json"):
        (job / name).touch()
    typed = ["trainer=smoke", "split.layer=peaks", "+logger.extra.a.x=1", "data.classes=[A,B,C,D]"]
    (job / ".hydra" / "overrides.yaml").write_text(json.dumps(typed), encoding="utf-8")
    whole = replace(the_run(root), folder=job / "09-block3_pool")
    names = ("school bus", "A", 'the "big" one', "true", "cat's")
    made = SubsetJob(whole, Subset(names, 9, 1, 9), number=2, position=9, repeat=1)
    words = shlex.split(made.command(Path("a folder") / made.name))
    assert words[:4] == ["python", "train.py", "trainer=smoke", "+logger.extra.a.x=1"]
    assert words[-1] == 'hydra.run.dir="a folder/subset-2-block3_pool-repeat-1"'
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", words[4:-1])
    assert list(cfg.data.classes) == list(names)
    assert (cfg.split.layer, cfg.repeat) == ("block3_pool", 1)


def test_of_groups_there_is_no_command_and_a_recipe_of_the_members(root):
    run = the_run(root)
    groups = {"vowels": ["A", "E"], "others": ["B", "C"], "more": ["D"]}
    config = run.config | {"data": run.config["data"] | {"groups": groups}}
    names = replace(run.result.per_class, class_names=tuple(groups))
    whole = replace(run, config=config, result=replace(run.result, per_class=names))
    made = SubsetJob(whole, Subset(("vowels", "more"), 9, 1, 9), number=1, position=9)
    with pytest.raises(ValueError, match=r"data\.groups: no command.*study\.run=true"):
        made.command(Path("folder"))
    assert '"more": ["D"]' in recipe(whole, ("vowels", "more"))
    assert "others" not in recipe(whole, ("vowels", "more"))


def test_repeats_are_counted(root, tried, undrawn):
    again = study(
        root,
        "repeated",
        "study.classes_per_subset=3",
        "study.repeats=2",
        f"runs=[{root / 'tried'},{root / 'job'}]",
    )
    (finding,) = again["conditions"]
    assert finding["left_out"] == ["4 of 8 trainings of the subsets"]
    assert all("repeat=1" in shlex.split(command) for command in finding["commands"])


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("study.repeats=0", r"study\.repeats=0 must be at least 1"),
        ("study.classes_per_subset=1", r"study\.classes_per_subset=1 must be at least 2"),
        ("study.among=[conv9,3]", r"study\.among='conv9' is no split point: block1_conv1"),
        ("study.among=[block3_pool,9]", r"study\.among=.* must name at least two split points"),
    ],
)
def test_what_cannot_be_is_said_with_its_key(root, mistake, message):
    with pytest.raises(ValueError, match=message):
        study(root, "refused", mistake)


def test_a_run_without_its_answers_cannot_be_compared(root, tried, tmp_path):
    copy = tmp_path / "tried"
    shutil.copytree(root / "tried", copy)
    for path in copy.rglob("predictions.csv"):
        path.unlink()
    with pytest.raises(ValueError, match=r"has no predictions\.csv"):
        study(root, "unpaired", "study.classes_per_subset=3", f"runs=[{copy},{root / 'job'}]")


def test_named_points_are_the_only_ones_looked_at(root, undrawn):
    (finding,) = study(root, "named", "study.among=[block4_pool,15]")["conditions"]
    assert finding["splits"] == ["block4_pool", "block5_conv2"]
    assert set(finding["peaks"].values()) <= set(finding["splits"])
