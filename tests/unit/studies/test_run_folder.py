"""The door by which folders of runs come in: whatever lies in them, nothing runs, nothing hangs."""

import json
import os
import resource
import time
from dataclasses import asdict, replace

import pytest
from run_folders import CONFIG, CURVE, RESULT, STAGE, changed, make_run, malformed

from isplit.documents import read_json, read_yaml
from isplit.result import Accuracy, CodecResult
from isplit.studies.collect import by_condition, collect
from isplit.studies.run_folder import read_run

SECONDS, BYTES = 10, 2**30  # of this process: others may keep the machine busy


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return malformed(tmp_path_factory.mktemp("malformed"))


def test_a_good_run_comes_in_with_what_older_versions_did_not_write(tmp_path):
    run = read_run(make_run(tmp_path / "run"))
    assert run.result == RESULT
    assert run.curve.values == (0.0, 1.0, 2.0)
    assert (run.correct, run.commonest) == ((True, True, True, False), 0.5)
    assert (run.config["repeat"], run.config["split"]["granularity"]) == (0, "layer")
    assert run.config["data"] == CONFIG["data"] | {"classes": None, "groups": None}


def without(document, *paths):
    """The document without what stands at some paths of keys."""
    document = json.loads(json.dumps(document))
    for path in paths:
        *above, last = path.split(".")
        place = document
        for key in above:
            place = place[key]
        del place[last]
    return document


def test_a_result_of_schema_1_comes_in_without_a_codec(tmp_path):
    older = without(asdict(RESULT), "codec", "accuracy.with_codec")
    run = read_run(make_run(tmp_path / "run", result=json.dumps(older)))
    assert (run.result, run.result.schema) == (RESULT, 1)
    assert run.result.accuracy.final == run.result.accuracy.after_finetune == 0.75
    assert run.config["codec"] == {"name": "none"}
    assert run.config["stage"]["finetune"]["through_codec"] is False


NONE = {"name": "none"}
SENT = CodecResult("rle", {"name": "rle", "bits": 4}, None, 30.5, 40, 41, 1.9, 0.1, 0.1)


def raw_run(folder, **result):
    """A run without a bottleneck, through a codec; or as ``result`` has it otherwise."""
    stage = RESULT.stages["baseline"]
    whole = replace(
        RESULT,
        schema=2,
        bottleneck=None,
        codec=SENT,
        accuracy=Accuracy(1.0, None, None, 4, 0.75),
        stages={"baseline": stage, "codec": stage},
    )
    return make_run(
        folder,
        result=json.dumps(asdict(whole) | result),
        predictions="label,baseline,codec\nA,A,A\nB,B,B\nA,A,A\nB,B,A\n",
        config=changed(
            CONFIG | {"codec": {"name": "rle", "bits": 4}}, "bottleneck", {"compression_rate": 0}
        ),
    )


def test_a_run_without_a_bottleneck_is_known_by_its_codec(tmp_path):
    run = read_run(raw_run(tmp_path / "run"))
    assert (run.result.bottleneck, run.result.accuracy.final) == (None, 0.75)
    assert (run.correct, run.commonest) == ((True, True, True, False), 0.5)
    other = replace(run, config={**run.config, "codec": {"name": "rle", "bits": 2}})
    names = [*by_condition([run, other])]
    common = "vgg16 on letters (2 classes), no bottleneck, rle, seed 0, codec.name="
    assert len(names) == 2
    assert all(name.startswith(common[:48]) for name in names)


@pytest.mark.parametrize(
    "result",
    [
        {"codec": None},
        {"bottleneck": asdict(RESULT.bottleneck)},
        {"accuracy": asdict(Accuracy(1.0, None, None, 4, None))},
        {"accuracy": asdict(Accuracy(1.0, None, 0.5, 4, 0.75))},
        {"stages": {"baseline": asdict(RESULT.stages["baseline"])}},
    ],
)
def test_stages_bottleneck_and_codec_must_agree(tmp_path, result):
    with pytest.raises(ValueError, match="stages: not those that have an accuracy"):
        read_run(raw_run(tmp_path / "run", **result))


def test_each_malformed_folder_is_left_out_by_name_with_a_reason(folders, monkeypatch, tmp_path):
    assert len(folders) >= 60
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", "s3cret")
    slowest, before = 0.0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, folder in folders.items():
        begin = time.process_time()
        found = collect([folder])
        slowest = max(slowest, time.process_time() - begin)
        special = name == "folder-result.json"  # without a result there is no run
        assert found.runs == (), name
        assert special or len(found.left_out) == 1, (name, found.left_out)
        assert all(line.startswith(f"{folder}: ") and len(line) < 500 for line in found.left_out)
        assert "s3cret" not in str(found.left_out)
        assert "Error:" not in str(found.left_out), (name, found.left_out)
    assert slowest < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < BYTES
    assert not list(tmp_path.iterdir()), "a canary was made"


def test_a_good_run_among_them_is_read(tmp_path):
    for name in ("odd", "strange"):
        make_run(tmp_path / name, result="[]")
    good = make_run(tmp_path / "good")
    found = collect([tmp_path])
    assert ([run.folder for run in found.runs], len(found.left_out)) == ([good], 2)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"result": "[]"}, "result.json holds no keys"),
        ({"result": '{"schema": 1'}, "half written, or no JSON"),
        ({"config": "a: 1"}, "config.yaml lacks model"),
        ({"config": "a: !!set {b}"}, r"config\.yaml has a tag \(tag:yaml"),
        ({"config": changed(CONFIG, "stage", {})}, r"config\.yaml: stage\.baseline holds no keys"),
        ({"config": changed(CONFIG, "seed", "a")}, "seed and repeat must be whole numbers"),
        (
            {"config": changed(CONFIG, "data.root", "${oc.env:HOME}")},
            r"config\.yaml\.data\.root: '\$\{oc\.env:HOME\}' is an interpolation",
        ),
        ({"result": changed(asdict(RESULT), "split", 1)}, "split: Input should be"),
        ({"curve": changed(CURVE, "points.1.shape", [])}, "a point has no size or no cost"),
        ({"predictions": "label,finetune\nA,A\n"}, "not of this result"),
        ({"predictions": "a,b\nA,A\n"}, "not the table of a job"),
    ],
)
def test_the_reason_says_what_is_wrong(tmp_path, files, reason):
    with pytest.raises(ValueError, match=reason):
        read_run(make_run(tmp_path / "run", **files))


@pytest.mark.parametrize(
    ("content", "read", "message"),
    [
        ("[" * 50 + "]" * 50, read_json, "is nested too deeply"),
        ("[" * 50 + "]" * 50, read_yaml, "is nested too deeply"),
        ("[" + "9" * 400 + "]", read_json, "a number too large to count anything"),
        ("[1e999]", read_json, r"\[0\]: inf is no plain value"),
        ("[" + "1," * 1_100_000 + "1]", read_json, "has more than 1,000,000 values"),
        (" " * 2_000_000, read_yaml, "has more than 1,048,576 bytes"),
        ("a: " + "x" * 11_000, read_yaml, "a text of more than 10000 characters"),
        ('["' + "x" * 11_000 + '"]', read_json, "a text of 11,000 characters"),
        ("\udcff", read_json, "is no text in UTF-8"),
        ("a: [", read_yaml, "is no YAML"),
        ("", None, ""),
    ],
)
def test_documents_have_bounds(tmp_path, content, read, message):
    path = tmp_path / "file"
    path.write_bytes(content.encode(errors="surrogateescape"))
    if read is None:
        with pytest.raises(ValueError, match="other is missing"):
            read_json(tmp_path / "other")
        with pytest.raises(ValueError, match="is no regular file"):
            read_json(tmp_path)
        return
    with pytest.raises(ValueError, match=message):
        read(path)


def test_jobs_that_were_killed_early_are_listed_and_analyses_are_not(tmp_path):
    killed = make_run(tmp_path / "killed")
    for name in ("result.json", "curve.json", "results.txt", "predictions.csv"):
        (killed / name).unlink()
    late = make_run(tmp_path / "late")
    (late / "results.txt").unlink()
    analysis = tmp_path / "analysis"
    analysis.mkdir()
    (analysis / "config.yaml").write_text("study: {name: agreement}\nruns: outputs\n")
    hidden = tmp_path / "killed" / ".hydra"
    hidden.mkdir()
    (hidden / "config.yaml").write_text((killed / "config.yaml").read_text())
    found = collect([tmp_path])
    unfinished = "the job has not finished (what it finished counts)"
    assert found.left_out == (f"{killed}: {unfinished}", f"{late}: {unfinished}")
    assert [run.folder for run in found.runs] == [late]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "no entry", str(path))

    monkeypatch.setattr("os.scandir", refuse)
    assert collect([tmp_path]).left_out == (f"{tmp_path}: [Errno 13] no entry: '{tmp_path}'",)


def test_a_link_to_a_folder_of_runs_is_named(tmp_path):
    """Nothing is found twice or without end; what W&B links to in its own folder is no run."""
    make_run(tmp_path / "here" / "run")
    make_run(tmp_path / "there" / "run")
    (tmp_path / "here" / "wandb").mkdir()
    for name in ("linked", "wandb/latest-run"):
        (tmp_path / "here" / name).symlink_to(tmp_path / "there")
    found = collect([tmp_path / "here"])
    assert [run.folder for run in found.runs] == [tmp_path / "here" / "run"]
    (said,) = found.left_out
    assert said.startswith(f"{tmp_path}/here/linked: a link to a folder, which is not followed")
    assert len(collect([tmp_path / "here" / "linked"]).runs) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("seed", 1), ("bottleneck.compression_rate", 0.984), ("codec", {"name": "rle", "bits": 4})],
)
def test_a_result_is_not_told_by_the_config_of_another_job(tmp_path, key, value):
    folder = make_run(tmp_path / "run", config=changed(CONFIG | {"codec": NONE}, key, value))
    found = collect([tmp_path])
    assert found.runs == ()
    (said,) = found.left_out
    assert said.startswith(f"{folder}: config.yaml: it has another ")


def test_of_two_trainings_of_one_repeat_the_later_counts_and_the_other_is_named(tmp_path):
    """The same command before and after a change of code is no second training."""
    stages = {**RESULT.stages, "finetune": replace(RESULT.stages["finetune"], fingerprint="f" * 16)}
    other = json.dumps(asdict(replace(RESULT, stages=stages)))
    older = make_run(tmp_path / "z-older")
    newer = make_run(tmp_path / "a-newer", result=other)
    os.utime(older / "result.json", (1, 1))
    again = make_run(tmp_path / "b-repeat", config=changed(CONFIG, "repeat", 1), result=other)
    found = collect([tmp_path])
    assert {run.folder for run in found.runs} == {newer, again}
    (said,) = found.left_out
    assert said.startswith(f"{older}: {newer} is a later training of the same split and repeat")


def test_conditions_that_share_their_facts_are_all_told_apart_by_what_differs(tmp_path):
    for epochs in (1, 2, 3):
        stage = CONFIG["stage"] | {"finetune": STAGE | {"epochs": epochs}}
        make_run(tmp_path / str(epochs), config=json.dumps(CONFIG | {"stage": stage}))
    names = list(by_condition(collect([tmp_path]).runs))
    assert [name.rpartition(", ")[2] for name in sorted(names)] == [
        f"stage.finetune.epochs={epochs}" for epochs in (1, 2, 3)
    ]


def test_only_what_sets_conditions_apart_is_in_their_names(tmp_path):
    """Not the split point of the run that happens to come first, nor where images lie."""
    for epochs in (1, 2):
        stage = CONFIG["stage"] | {"finetune": STAGE | {"epochs": epochs}}
        split = CONFIG["split"] | {"layer": f"features.{epochs}"}
        data = CONFIG["data"] | {
            "root": f"/{epochs}",
            "num_workers": epochs,
            "cache_dir": f"{epochs}",
        }
        config = CONFIG | {"stage": stage, "split": split, "data": data}
        make_run(tmp_path / str(epochs), config=json.dumps(config))
    names = by_condition(collect([tmp_path]).runs)
    assert [name.partition("seed 0, ")[2] for name in names] == [
        f"stage.finetune.epochs={epochs}" for epochs in (1, 2)
    ]


def test_a_folder_that_is_named_twice_is_told_once(tmp_path):
    make_run(tmp_path / "half", result="{")
    assert len(collect([tmp_path, tmp_path / "half"]).left_out) == 1


def test_a_run_is_known_by_more_than_its_place(tmp_path):
    make_run(tmp_path / "one")
    make_run(tmp_path / "two")
    (run,) = collect([tmp_path]).runs
    assert replace(run, folder=tmp_path) == replace(read_run(tmp_path / "one"), folder=tmp_path)


def test_trainings_before_and_after_a_change_of_code_are_told_apart(tmp_path):
    """A result of an older version does not say by which code; one of another repeat is as good."""

    def of(repeat, code):
        stages = {
            name: replace(stage, fingerprint=f"{repeat}" * 16, code=code)
            for name, stage in RESULT.stages.items()
            if name != "baseline"
        }
        result = replace(RESULT, stages={"baseline": RESULT.stages["baseline"], **stages})
        config = changed(CONFIG, "repeat", repeat)
        return make_run(tmp_path / f"{repeat}", result=json.dumps(asdict(result)), config=config)

    folders = [of(1, "a"), of(2, "a")]
    assert collect([tmp_path]).left_out == ()
    folders.append(of(3, "b"))
    (said,) = collect([tmp_path]).left_out
    assert said.startswith("vgg16 on letters (2 classes), rate 0.9, seed 0: not left out, but")
    assert said.endswith(f"(2 as in {folders[0]}, 1 as in {folders[2]})")
    of(4, None)
    assert ", 1 as in " in collect([tmp_path]).left_out[0]


@pytest.mark.parametrize(
    ("kind", "images", "split", "name"),
    [
        ("cui", 40, {}, "cui"),
        ("cui", 40, {"cui": {"channels": "sum", "spatial": "mean"}}, "cui(channels=sum)"),
        ("cui", 40, {"cui": {"precision": 32}, "classes": None}, "cui"),
        ("cui", 40, {"classes": ["A"]}, "cui(classes=some)"),
        ("probe", 40, {"cui": {"channels": "sum"}, "classes": ["A"]}, "probe(classes=some)"),
        ("depth", 0, {"cui": {"channels": "sum"}, "classes": ["A"]}, "depth"),
    ],
)
def test_a_curve_is_called_by_how_it_was_made(tmp_path, kind, images, split, name):
    config = json.dumps(CONFIG | {"split": CONFIG["split"] | split})
    curve = json.dumps(CURVE | {"kind": kind, "num_images": images})
    assert read_run(make_run(tmp_path / "run", config=config, curve=curve)).ranked_by == name


def test_the_runs_of_a_condition_are_in_order_whatever_their_folders_are_called(tmp_path):
    for name, repeat in (("a", 2), ("b", 0), ("c", 1)):
        make_run(tmp_path / name, config=changed(CONFIG, "repeat", repeat))
    (same,) = by_condition(collect([tmp_path]).runs).values()
    assert [run.folder.name for run in same] == ["b", "c", "a"]
