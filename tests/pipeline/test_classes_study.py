"""``analyze.py study=classes``: the proposal, the commands, both splits on both subsets."""

import csv
import json
import math
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from pipeline.jobs import DATA, ROOT, SMALLEST, compose_job

from isplit import runs
from isplit.studies.classes.proposal import Proposal, Subset
from isplit.studies.classes.trainings import is_part_of, sweep_of
from isplit.studies.collect import collect


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
    """A folder with a finished job on all ten letters, as a command leaves it."""
    folder = tmp_path_factory.mktemp("classes")
    words = [*SMALLEST, f"paths.root={folder}", f"paths.data={DATA}"]
    runs.train(compose_job(folder))
    (folder / "job" / ".hydra").mkdir()
    (folder / "job" / ".hydra" / "overrides.yaml").write_text(json.dumps(words), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def proposed(root):
    return study(root, "proposed", "study.classes_per_subset=3")


@pytest.fixture(scope="module")
def tried(root, proposed):
    """The same after the sweep that the study names, in a folder of its own."""
    _, script, *words = shlex.split(proposed["conditions"][0]["command"])
    where = f"hydra.sweep.dir={root / 'sweep'}"
    command = [sys.executable, str(ROOT / script), *words, where]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, cwd=root, env=environment, capture_output=True)
    return study(root, "tried", "study.classes_per_subset=3", BOTH.format(root=root))


BOTH = "runs=[{root}/sweep,{root}/job]"


def the_run(root):
    (run,) = collect([root / "job"]).runs
    return run


def folder_of(root, number, split, subsets):
    """Of the sweep's job on this subset with this split."""
    for path in (root / "sweep").rglob("result.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        same = result["per_class"]["class_names"] == subsets[number - 1]["classes"]
        if same and result["split"]["label"] == split:
            return path.parent
    raise AssertionError(f"no job of subset {number} at {split}")


def test_without_training_there_is_a_proposal_and_one_command_for_all_trainings(root, proposed):
    (finding,) = proposed["conditions"]
    assert len(finding["peaks"]) == 10
    assert [len(subset["classes"]) <= 3 for subset in finding["subsets"]] == [True, True]
    assert not set(finding["subsets"][0]["classes"]) & set(finding["subsets"][1]["classes"])
    assert finding["command"].startswith("python train.py -m trainer=smoke logger=none")
    assert finding["command"] in (root / "proposed" / "results.txt").read_text("utf-8")
    assert finding["shift"] is None
    assert "Nothing was retrained" in finding["verdict"]
    assert finding["left_out"] == ["4 of 4 trainings of the subsets"]
    assert not list((root / "proposed").rglob("result.json"))
    files = {path.name for path in (root / "proposed").iterdir()}
    assert {"classes.csv", "results.txt", "classes.png", "f1.svg", "f1.csv", "report.html"} <= files


def test_the_table_says_what_the_predictions_say(root, tried):
    table = rows(root / "tried" / "classes.csv")
    assert [row["subset"] for row in table] == ["1", "2"]
    for row, subset in zip(table, tried["conditions"][0]["subsets"], strict=True):
        splits = [row["first_split"], row["second_split"]]
        right = {}
        for split in splits:
            subsets = tried["conditions"][0]["subsets"]
            folder = folder_of(root, int(row["subset"]), split, subsets)
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
        folder = folder_of(root, int(row["subset"]), row["split"], subsets)
        per_class = json.loads((folder / "result.json").read_text(encoding="utf-8"))["per_class"]
        place = per_class["class_names"].index(row["class"])
        assert float(row["f1_unsplit"]) == per_class["baseline_f1"][place]
        assert float(row["f1_split"]) == per_class["split_f1"][place]
    names = {path.name for path in (root / "tried").glob("f1*.png")}
    assert names == {"f1.png", "f1_subset_1.png", "f1_subset_2.png"}


def test_the_subsets_share_a_baseline_and_are_trained_by_the_recipe_of_all(root, tried):
    whole = the_run(root)
    found = collect([root / "sweep"]).runs
    assert len(found) == 4
    assert len({run.result.stages["baseline"].fingerprint for run in found}) == 2
    for run in found:
        assert is_part_of(run, whole)
        assert not is_part_of(whole, run)
        assert run.config["stage"] == whole.config["stage"]


def test_with_everything_trained_there_is_nothing_to_do(tried):
    (finding,) = tried["conditions"]
    assert (finding["command"], finding["left_out"]) == ("", [])
    assert finding["shift"] is not None


def overridden(run, folder, words):
    """The run in a folder that a command with these words would have left."""
    (folder / ".hydra").mkdir(parents=True)
    for name in ("config.yaml", "curve.json"):
        (folder / name).touch()
    (folder / ".hydra" / "overrides.yaml").write_text(json.dumps(words), encoding="utf-8")
    return replace(run, folder=folder)


def proposal_of(*names):
    one, other = Subset(names[:2], 9, 1, 9), Subset(names[2:], 15, 1, 15)
    return Proposal((9, 15), {}, {}, (one, other))


def test_the_command_uses_the_words_of_the_one_that_made_the_job(root, tmp_path):
    typed = ["trainer=smoke", "split.layer=peaks", "data.classes=[A,B,C,D]", "seed=3"]
    names = ("school bus", "A", 'the "big" one', "true", "cat's")
    whole = overridden(the_run(root), tmp_path / "job", typed)
    command, why_none = sweep_of(whole, proposal_of(*names), repeats=2)
    words = shlex.split(command)
    assert why_none == ()
    assert words[:5] == ["python", "train.py", "-m", "trainer=smoke", "seed=3"]
    parser = OverridesParser.create()
    swept = {
        o.key_or_group: list(o.sweep_string_iterator()) for o in parser.parse_overrides(words[5:])
    }
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        chosen = [compose("train", [f"data.classes={c}"]) for c in swept["data.classes"]]
    assert [tuple(cfg.data.classes) for cfg in chosen] == [names[:2], names[2:]]
    assert swept["split.layer"] == ["block3_pool", "block5_conv2"]
    assert swept["repeat"] == ["0", "1"]


@pytest.mark.parametrize(
    "word",
    [
        "model.net._target_=os.system",
        "+x={_target_:os.system}",
        "hydra.searchpath=[file:///elsewhere]",
        "hydra/launcher=elsewhere",
        "--config-dir=/elsewhere",
        "seed=${oc.env:HOME}",
        7,
    ],
)
def test_a_folder_from_elsewhere_prints_no_command_that_runs_code(root, tmp_path, word):
    whole = overridden(the_run(root), tmp_path / "job", ["trainer=smoke", word])
    command, (why_none,) = sweep_of(whole, proposal_of(*"ABCD"), repeats=1)
    assert command == ""
    assert why_none == f"no command: {word} could run code, so write the sweep by hand"


@pytest.mark.parametrize("content", ["- a\n b: [", "3", "- \udcff"])
def test_odd_words_print_no_command(root, tmp_path, content):
    whole = overridden(the_run(root), tmp_path / "job", [])
    (tmp_path / "job" / ".hydra" / "overrides.yaml").write_text(content, errors="surrogateescape")
    command, (why_none,) = sweep_of(whole, proposal_of(*"ABCD"), repeats=1)
    assert command == ""
    assert why_none.startswith("no command: what made the job is not known")


def test_a_config_with_a_target_prints_no_command(root, tmp_path):
    run = overridden(the_run(root), tmp_path / "job", [])
    logger = run.config["logger"] | {"extra": {"mine": [{"_target_": "os.system"}]}}
    whole = replace(run, config=run.config | {"logger": logger})
    command, (why_none,) = sweep_of(whole, proposal_of(*"ABCD"), repeats=1)
    assert command == ""
    assert "logger.extra.mine.0._target_ could run code" in why_none


def test_without_the_words_or_of_groups_there_is_no_command(root, tmp_path):
    run = the_run(root)
    bare = replace(run, folder=tmp_path)
    for name in ("config.yaml", "curve.json"):
        (tmp_path / name).touch()
    assert "overrides.yaml is missing" in sweep_of(bare, proposal_of(*"ABCD"), 1)[1][0]
    groups = {"vowels": ["A", "E"], "others": ["B", "C"], "more": ["D"]}
    config = run.config | {"data": run.config["data"] | {"groups": groups}}
    names = replace(run.result.per_class, class_names=tuple(groups))
    whole = replace(run, config=config, result=replace(run.result, per_class=names))
    assert "no command: data.groups" in sweep_of(whole, proposal_of(*"ABCD"), 1)[1][0]
    fewer = replace(names, class_names=("vowels", "more"))
    part = replace(whole, result=replace(whole.result, per_class=fewer))
    assert is_part_of(part, whole)
    other = config | {"data": config["data"] | {"groups": groups | {"more": ["F"]}}}
    assert not is_part_of(replace(part, config=other), whole)


def test_repeats_are_counted(root, tried):
    again = study(
        root, "repeated", "study.classes_per_subset=3", "study.repeats=2", BOTH.format(root=root)
    )
    (finding,) = again["conditions"]
    assert finding["left_out"] == ["4 of 8 trainings of the subsets"]
    assert finding["command"].endswith("repeat=0,1")


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            "study.among=[conv9,3]",
            r"study\.among='conv9' is neither auto, best, peak, peaks, all, search, top:3 nor",
        ),
        ("study.among=[block3_pool,9]", r"study\.among=.* must name at least two split points"),
    ],
)
def test_what_cannot_be_is_said_with_its_key(root, mistake, message):
    with pytest.raises(ValueError, match=message):
        study(root, "refused", mistake)


def test_a_run_without_its_answers_cannot_be_compared(root, tried, tmp_path):
    copy = tmp_path / "tried"
    shutil.copytree(root / "sweep", copy)
    for path in copy.rglob("predictions.csv"):
        path.unlink()
    with pytest.raises(ValueError, match=r"has no predictions\.csv"):
        study(root, "unpaired", "study.classes_per_subset=3", f"runs=[{copy},{root / 'job'}]")


def test_named_points_are_the_only_ones_looked_at(root):
    (finding,) = study(root, "named", "study.among=[block4_pool,15]")["conditions"]
    assert finding["splits"] == ["block4_pool", "block5_conv2"]
    assert set(finding["peaks"].values()) <= set(finding["splits"])
