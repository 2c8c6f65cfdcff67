"""``train(cfg)`` whole: what it leaves, what it reuses, what it refuses."""

import csv
import json
import math
from types import SimpleNamespace

import cases
import pytest
import torch
from pipeline.jobs import compose_job

from isplit import runs
from isplit.artifact import load_split_model
from isplit.config import build_data, model_keys, output_folder, store_folder
from isplit.evaluate import evaluate
from isplit.runs.base import curve_of, open_baseline, workbench
from isplit.runs.folder import sole_job_in
from isplit.sweeps.earlier import results_in


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A finished job and the folder it wrote below."""
    root = tmp_path_factory.mktemp("root")
    cfg = compose_job(root)
    return cfg, runs.train(cfg)[0], root


def result_file(root, output="job"):
    return json.loads((root / output / "result.json").read_text(encoding="utf-8"))


def untimed(result):
    """A result without what may differ between two runs of the same job."""
    return result | {"stages": {s: v | {"seconds": 0} for s, v in result["stages"].items()}}


def test_the_result_has_every_field_of_the_schema_and_is_true(job):
    _, _, root = job
    written = result_file(root)
    assert written["schema"] == 2
    names = ("vgg16 x 0.125", "letters easy", 10)
    assert (written["model"], written["data"], written["num_classes"]) == names
    assert written["split"]["layer"] == "features.23"
    assert written["split"]["label"] == "block3_pool"
    assert written["split"]["index"] == 9
    assert written["split"]["chosen_by"] == "user"
    assert written["curve"]["num_points"] == 18
    assert 1 <= written["curve"]["rank"] <= 18
    assert math.prod(written["split"]["shape"]) * 4 == written["cost"]["feature_bytes"]
    code = math.prod(written["bottleneck"]["code_shape"])
    assert written["cost"]["payload_bytes"] == 4 * code
    kept = code / math.prod(written["split"]["shape"])
    assert written["bottleneck"]["achieved_rate"] == pytest.approx(1 - kept)
    assert written["accuracy"]["test_images"] == 200
    assert len(written["per_class"]["split_f1"]) == 10
    assert set(written["stages"]) == {"baseline", "autoencoder", "finetune"}
    assert not any(stage["reused"] for stage in written["stages"].values())


def test_every_file_of_a_run_is_there_and_nothing_half_written(job):
    _, _, root = job
    assert {path.name for path in (root / "job").iterdir()} == {
        ".lock",
        "config.yaml",
        "curve.json",
        "curve.png",
        "curve.svg",
        "metrics.csv",
        "predictions.csv",
        "result.json",
        "results.txt",
        "split_model.json",
        "split_model.safetensors",
    }


def test_the_stored_split_model_gives_the_reported_accuracy(job):
    cfg, result, root = job
    data = build_data(cfg)
    split = load_split_model(root / "job")
    found = evaluate(split, data.loader("test", 50), data.num_classes)
    assert found.accuracy == result.accuracy.after_finetune
    assert found.f1 == pytest.approx(result.per_class.split_f1)


def test_the_code_alone_decides_the_logits(job):
    cfg, _, root = job
    split = load_split_model(root / "job")
    images, _ = next(iter(build_data(cfg).loader("test", 8)))
    with torch.no_grad():
        code = split.encode(images)
        assert tuple(code.shape[1:]) == split.bottleneck.code_shape
        assert torch.equal(split.decode(code), split(images))


def test_predictions_and_metrics_agree_with_the_result(job):
    _, result, root = job
    with (root / "job" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    right = sum(row["label"] == row["finetune"] for row in rows)
    assert right / len(rows) == result.accuracy.after_finetune
    with (root / "job" / "metrics.csv").open() as file:
        stages = [row["stage"] for row in csv.DictReader(file)]
    before_the_first_step = 1
    epochs = {"baseline": 2, "autoencoder": 2, "finetune": 1}
    assert stages == [s for s, n in epochs.items() for _ in range(before_the_first_step + n)]


def test_altered_weights_are_not_loaded(job, tmp_path):
    _, _, root = job
    for name in ("split_model.json", "split_model.safetensors"):
        (tmp_path / name).write_bytes((root / "job" / name).read_bytes())
    path = tmp_path / "split_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ValueError, match=r"is not the file that split_model\.json"):
        load_split_model(tmp_path)


def test_the_same_command_again_reuses_every_stage(job, capfd):
    _, result, root = job
    cfg = compose_job(root, output="again")
    again = runs.train(cfg)[0]
    assert all(stage.reused for stage in again.stages.values())
    assert again.accuracy == result.accuracy
    assert again.curve == result.curve


def test_another_seed_is_another_baseline(job):
    _, result, root = job
    other = runs.train(compose_job(root, "seed=1", "stage.baseline.epochs=0", output="seed"))[0]
    assert not other.stages["baseline"].reused
    assert other.stages["baseline"].fingerprint != result.stages["baseline"].fingerprint


def test_the_same_job_in_another_store_gives_the_same_result(job, tmp_path):
    _, _, root = job
    runs.train(compose_job(tmp_path))
    assert untimed(result_file(tmp_path)) == untimed(result_file(root))


def test_several_points_get_a_folder_each_and_share_the_baseline(job):
    _, _, root = job
    cfg = compose_job(root, "split.layer=[auto,block1_pool,16]", output="several")
    results = runs.train(cfg)
    folders = sorted(path.parent.name for path in (root / "several").glob("*/result.json"))
    assert [f"{r.split.index:02d}-{r.split.label}" for r in results] == folders
    assert len({r.stages["baseline"].fingerprint for r in results}) == 1
    assert [r.split.chosen_by for r in results if r.split.chosen_by != "user"] == ["cui:peak"]
    assert "block1_pool" in (root / "several" / "results.txt").read_text()


def test_the_users_own_trained_model_is_taken_as_it_is(job, tmp_path):
    _, result, root = job
    (stage,) = (root / "store" / "baseline").glob(result.stages["baseline"].fingerprint)
    weights = stage / "weights.safetensors"
    own = runs.train(compose_job(tmp_path, f"model.weights={weights}"))[0]
    assert own.accuracy.baseline == result.accuracy.baseline
    more = compose_job(
        tmp_path, f"model.weights={weights}", "stage.baseline.trains=all", output="b"
    )
    assert runs.train(more)[0].accuracy.baseline != result.accuracy.baseline


def test_a_module_of_the_users_own_is_split_like_any_other(tmp_path):
    own = ("model=custom", "model.net._target_=cases.Residual", "data.classes=[A,B,C]")
    cfg = compose_job(tmp_path, *own, "split.layer=auto")
    result = runs.train(cfg)[0]
    assert result.model == "Residual"
    with pytest.raises(ValueError, match=r"holds a split of a model of your own: give it as net="):
        load_split_model(tmp_path / "job")
    split = load_split_model(tmp_path / "job", cases.Residual())
    data = build_data(cfg)
    accuracy = evaluate(split, data.loader("test", 50), data.num_classes).accuracy
    assert accuracy == result.accuracy.after_finetune


class OfMoreClasses(cases.Residual):
    """Five outputs, of weights as another project trained them; as timm says how."""

    pretrained_cfg = {"mean": (0.5, 0.5, 0.5)}  # noqa: RUF012

    def __init__(self):
        torch.manual_seed(0)
        super().__init__()
        self.fc = torch.nn.Linear(4, 5)


def test_a_net_for_more_classes_keeps_the_outputs_of_the_datas(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(cases, "UnderTest", OfMoreClasses, raising=False)
    (tmp_path / "names.txt").write_text("Z\nC\nY\nA\nB\n")
    torch.save(OfMoreClasses().state_dict(), tmp_path / "own.pt")
    own = ("model=custom", "model.net._target_=cases.UnderTest", "data.classes=[A,B,C]")
    more = (f"data.class_map={tmp_path}/names.txt", f"model.weights={tmp_path}/own.pt")
    cfg = compose_job(tmp_path, *own, *more, "split.layer=block1", "stage.finetune.epochs=0")
    result, data, net = runs.train(cfg)[0], build_data(cfg), OfMoreClasses().eval()
    right = [net(x)[:, [3, 4, 1]].argmax(1) == y for x, y in data.loader("test", 50)]
    assert result.accuracy.baseline == pytest.approx(torch.cat(right).float().mean().item())
    assert "another normalisation: data.mean=[0.5,0.5,0.5], not [0.485," in caplog.text
    split = load_split_model(tmp_path / "job", net)
    accuracy = evaluate(split, data.loader("test", 50), 3).accuracy
    assert accuracy == result.accuracy.after_finetune
    assert net.fc.out_features == 5


def test_any_lightning_logger_is_told_of_each_point_under_names_of_its_own(tmp_path):
    extra = "+logger.extra.csv._target_=lightning.pytorch.loggers.CSVLogger"
    points = ("split.layer=[block3_pool,block5_pool]", "trainer.progress=none")
    cfg = compose_job(tmp_path, extra, f"+logger.extra.csv.save_dir={tmp_path}", *points)
    results = runs.train(cfg)
    (metrics,) = tmp_path.rglob("version_0/metrics.csv")
    rows = list(csv.DictReader(metrics.open()))
    for result, name in zip(results, ("block3_pool", "block5_pool"), strict=True):
        (said,) = filter(None, (row[f"{name}/accuracy/after_finetune"] for row in rows))
        assert float(said) == result.accuracy.after_finetune
        assert any(row[f"{name}/finetune/val_accuracy"] for row in rows)
        assert any(row[f"{name}/autoencoder/train_loss"] for row in rows)
    assert "baseline/val_accuracy" in rows[0]
    assert not {"finetune/val_accuracy", "autoencoder/train_loss"} & rows[0].keys()


def test_no_image_is_left_out_of_a_curve_where_the_last_batch_would_be_one(job):
    _, _, root = job
    cfg = compose_job(root, "split.images=20", "split.batch_size=19")
    curve = curve_of(open_baseline(cfg, workbench(cfg)))
    assert curve.num_images == 20


def test_a_home_is_meant_in_every_path(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    cfg = compose_job(tmp_path)
    cfg.paths.output, cfg.paths.store, cfg.model.weights = "~/res", "~/s", "~/x.pth"
    assert output_folder(cfg) == tmp_path / "res"
    assert store_folder(cfg) == tmp_path / "s"
    data = SimpleNamespace(num_classes=10, image_size=32, outputs=None)
    assert model_keys(cfg, data)["weights"] == str(tmp_path / "x.pth")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "split.layer=conv9",
            r"split\.layer='conv9' is neither .* nor a split point .*block3_pool",
        ),
        ("split.layer=99", r"split\.layer=99 is neither"),
        (
            "split.max_head_macs=1",
            r"split\.layer='block3_pool' is excluded: split\.max_head_macs=1",
        ),
        ("data.name=cifar", r"data='cifar' is none of letters"),
        ("data.classes=[A,Z]", r"'Z'.*A, B, C"),
        ("split.classes=[Z]", r"'Z' is none of the 10 classes: A, B"),
        ("seed=-1", r"^seed=-1 is no whole number from 0 up to 4294967295$"),
    ],
)
def test_bad_input_is_refused_with_key_value_and_choices(job, override, message):
    _, _, root = job
    untrained = ("model.width=0.13", "seed=7")
    cfg = compose_job(root, *untrained, override, output="bad")
    before = set((root / "store").rglob("*"))
    with pytest.raises(ValueError, match=message):
        runs.train(cfg)
    assert set((root / "store" / "baseline").rglob("*")) <= before, "refused after training"
    assert not (root / "bad" / "result.json").exists()


def test_points_that_a_code_would_not_compress_are_left_out_with_a_line(tmp_path, caplog):
    words = ("bottleneck.code_elements=64", "split=probe", "split.layer=auto", "split.min_depth=16")
    few = ("stage.baseline.epochs=0", "stage.autoencoder.epochs=1", "stage.finetune.epochs=0")
    (result,) = runs.train(compose_job(tmp_path, *words, *few))
    assert result.split.index == 16  # block5_conv3; block5_pool, the last, has 64 features
    assert result.split.chosen_by == "probe:best"
    line = "left out, with no more features than bottleneck.code_elements=64: block5_pool (64)"
    assert line in caplog.messages
    curve = json.loads((tmp_path / "job" / "curve.json").read_text())
    assert len(curve["points"]) == 18
    message = (
        r"split\.layer='block5_pool' is excluded: bottleneck\.code_elements=64 compresses noth"
    )
    with pytest.raises(ValueError, match=message):
        runs.train(compose_job(tmp_path, *words[:1], "split.layer=block5_pool", *few))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("kind", ["gpu", "cuda", "mps"])
def test_an_accelerator_that_is_not_there_is_refused(kind, tmp_path):
    message = rf"trainer\.accelerator={kind} is not on this machine; auto, cpu are"
    with pytest.raises(ValueError, match=message):
        runs.train(compose_job(tmp_path, f"trainer.accelerator={kind}"))
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path):
    torch.save({"conv1.weight": torch.zeros(8, 3, 3, 3)}, tmp_path / "other.pth")
    cfg = compose_job(tmp_path, f"model.weights={tmp_path / 'other.pth'}")
    with pytest.raises(ValueError, match=r"model\.weights=.*other\.pth.* is not of this VGG"):
        runs.train(cfg)


def test_two_jobs_in_one_output_folder_are_refused(tmp_path):
    cfg = compose_job(tmp_path)
    with (
        sole_job_in(tmp_path / "job", "seed: 0"),
        pytest.raises(ValueError, match=r"another job is running in .*job"),
    ):
        runs.train(cfg)


def test_a_folder_with_results_of_other_settings_is_refused(job):
    """Else what lies there would be told as results of this job; other points may join."""
    _, _, root = job
    before = result_file(root)
    other = compose_job(root, "bottleneck.compression_rate=0.984")
    said = r"job holds results of bottleneck\.compression_rate=0\.9, and this job has .*=0\.984"
    with pytest.raises(ValueError, match=said):
        runs.train(other)
    assert result_file(root) == before
    assert (root / "job" / "results.txt").exists()
    groups = compose_job(root, "data.groups={one:[A,B],other:[C]}")
    with pytest.raises(ValueError, match=r'holds results of data\.groups=null.*=\{"one"'):
        runs.train(groups)
    runs.train(compose_job(root, "stage.evaluation_batch_size=7"))  # how, not what
    assert result_file(root)["accuracy"] == before["accuracy"]


def test_no_result_of_an_earlier_job_lies_beside_another_ones_model(job, monkeypatch):
    _, _, root = job
    runs.train(compose_job(root, output="shared"))
    monkeypatch.setattr("isplit.runs.outcome._metrics_csv", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        runs.train(compose_job(root, "split.layer=block2_pool", output="shared"))
    assert not (root / "shared" / "result.json").exists()


class Edited(cases.Residual):
    """The same weights under a forward that was changed since."""

    def forward(self, x):
        return super().forward(x) * 2


def test_an_edited_model_is_another_baseline(tmp_path, monkeypatch):
    own = ("model=custom", "data.classes=[A,B,C]", "split.layer=block1", "stage.baseline.epochs=0")
    keys = {}
    for net in (cases.Residual, Edited):
        monkeypatch.setattr(cases, "UnderTest", net, raising=False)
        cfg = compose_job(tmp_path, *own, "model.net._target_=cases.UnderTest", output=net.__name__)
        keys[net] = runs.train(cfg)[0].stages["baseline"].fingerprint
    assert keys[cases.Residual] != keys[Edited]


class OnOthers(cases.Residual):
    """A new last layer on a net from a file, with a filter that nobody trains."""

    def __init__(self, path):
        super().__init__()
        state = torch.load(path, weights_only=True)
        self.load_state_dict({n: t for n, t in state.items() if "fc" not in n}, strict=False)
        self.stem.weight.requires_grad_(False)


def test_a_net_that_loads_another_file_is_another_baseline_and_what_is_fixed_stays(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(cases, "UnderTest", OnOthers, raising=False)
    net = ("model.net._target_=cases.UnderTest", f"+model.net.path={tmp_path / 'own.pth'}")
    own = ("model=custom", "data.classes=[A,B,C]", "split.layer=block1", *net)
    keys = []
    for seed in (0, 1, 1):
        torch.manual_seed(seed)
        weights = cases.Residual().state_dict()
        torch.save(weights, tmp_path / "own.pth")
        result = runs.train(compose_job(tmp_path, *own, output=f"job{len(keys)}"))[0]
        keys.append(result.stages["baseline"].fingerprint)
        place = tmp_path / f"job{len(keys) - 1}"
        split = load_split_model(place, OnOthers(tmp_path / "own.pth"))
        assert torch.equal(split.head.stem.weight, weights["stem.weight"])
    assert keys[0] != keys[1] == keys[2]


def test_the_control_without_a_bottleneck_is_had_at_several_points(tmp_path):
    words = ("bottleneck=none", "bottleneck.finetune=true", "split.layer=[block3_pool,block5_pool]")
    results = runs.train(compose_job(tmp_path, *words))
    assert len({r.stages["finetune"].fingerprint for r in results}) == 2
    assert results[0].accuracy.final == pytest.approx(results[1].accuracy.final, abs=0.02)


def test_a_search_trains_a_few_points_and_says_what_to_expect_of_all(tmp_path):
    search = (
        "split=search",
        "split.budget=2",
        "split.images=40",
        "paths.cache=" + str(tmp_path / "cache"),
    )
    result = runs.train(compose_job(tmp_path, *search, "split.layer=search"))
    found = json.loads((tmp_path / "job" / "search.json").read_text())
    measured = {
        row["label"]: row["measured"] for row in found["points"] if row["measured"] is not None
    }
    assert 1 <= len(measured) <= 2 < len(found["points"]) == 18
    assert {r.split.label: r.accuracy.final for r in result} == pytest.approx(measured)
    best = max(measured.values())
    assert (
        json.loads((tmp_path / "job" / "result.json").read_text())["accuracy"]["after_finetune"]
        == best
    )
    assert len(results_in(tmp_path / "job")) == len(measured)  # the best is one of them
    again = runs.train(compose_job(tmp_path, *search, "split.layer=search", output="again"))
    assert [r.split.label for r in again] == [r.split.label for r in result]
    assert all(stage.reused for r in again for stage in r.stages.values())


PLACED = ("device=pi4", "server=t4", "channel=lte")
SEARCHED = ("split=search", "split.budget=2", "split.images=40", "split.layer=search")


def test_a_search_for_a_requirement_trains_what_can_meet_it(tmp_path, caplog):
    caplog.set_level("INFO")
    asked = ("requirement.payload_bytes=100", "requirement.accuracy=0.01")
    results = runs.train(compose_job(tmp_path, *SEARCHED, *PLACED, *asked))
    found = json.loads((tmp_path / "job" / "search.json").read_text())
    within = {row["label"] for row in found["points"] if row["within_limits"]}
    assert {result.split.label for result in results} <= within
    assert all(result.cost.payload_bytes <= 100 for result in results)
    assert "left out: block1_conv1: payload_bytes is" in caplog.text
    assert len(results) == 1  # whatever it reaches is enough, and none is much faster


def test_a_requirement_that_no_point_can_meet_is_refused(tmp_path):
    cfg = compose_job(tmp_path, *SEARCHED, *PLACED, "requirement.p95_ms=1")
    with pytest.raises(
        ValueError, match=r"requirement=\{'p95_ms': 1\}: no split point can meet it"
    ):
        runs.train(cfg)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["requirement.p95_ms=9"], r"requirement=.* is for split\.layer=search, and split\.layer="),
        (
            [*SEARCHED, "requirement.p95_ms=9", "codec=ans", *PLACED],
            r"requirement=.* needs codec=none: bytes of ans are not known yet",
        ),
        ([*SEARCHED, "requirement.p95_ms=9"], "device=null: latencies need one of"),
        (["split.layer=[search,auto]"], r"split\.layer=.*: search stands by itself, in no list"),
        (
            ["split=search", "split.layer=search", "bottleneck=none"],
            r"split\.kind=probe judges bottlenecks, and there is none",
        ),
        (
            ["split.layer=search", "split.kind=depth"],
            r"split\.kind='depth': a search knows .*probe",
        ),
    ],
)
def test_what_no_search_can_do_is_refused(tmp_path, overrides, message):
    with pytest.raises(ValueError, match=message):
        runs.train(compose_job(tmp_path, *overrides))
