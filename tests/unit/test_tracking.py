"""Tracking never asks: online with a key, offline without; what it writes can be read back."""

import socket
import urllib.parse
from dataclasses import replace
from types import SimpleNamespace

import pytest
import wandb
from lightning.pytorch.loggers import CSVLogger
from made_conditions import condition
from pipeline.jobs import compose_job
from wandb.sdk.mailbox.mailbox import MailboxClosedError
from wandb_files import read_run, teardown

from isplit.job import job_id, loggers
from isplit.report.findings import Chart, Findings
from isplit.report.table import Table
from isplit.result import (
    Accuracy,
    BottleneckResult,
    ChosenSplit,
    Cost,
    CurveValue,
    PerClass,
    SplitResult,
)
from isplit.studies.agreement.agreement import agreement
from isplit.studies.agreement.study import condition_findings, together
from isplit.studies.job import flat_numbers
from isplit.tracking import progress as tracking_progress
from isplit.tracking.loggers import forgiving
from isplit.tracking.progress import EpochLines, Estimate, progress_callbacks
from isplit.tracking.results import log_findings, log_summary
from isplit.tracking.run import wandb_mode, wandb_run

OF_AGENTS = ("WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_RESUME")
ROWS = [{"layer": "block1", "rank": 1, "accuracy": 0.9}, {"layer": "block2", "rank": 2}]
TABLE = Table.of_rows("points", ROWS)
CHARTS = {
    "rank": Chart(TABLE, "scatter", "rank", "accuracy", "Rank"),
    "curve": Chart(TABLE, "line", "rank", "accuracy", "Curve"),
}
NUMBERS = {"agreement/cui": 0.5, "best/layer": "block1"}
FOUND = Findings("all", numbers=NUMBERS, logged={"points": TABLE}, charts=CHARTS)


@pytest.fixture(autouse=True)
def nobody_is_logged_in(monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", *OF_AGENTS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "artifacts"))


def test_auto_is_offline_without_a_key():
    assert wandb_mode("auto") == "offline"


def test_auto_is_online_with_a_key_in_the_environment(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert wandb_mode("auto") == "online"


def test_auto_is_online_with_a_key_in_the_netrc_file(tmp_path):
    host = urllib.parse.urlparse(wandb.Settings().base_url).hostname
    (tmp_path / "netrc").write_text(f"machine {host} login user password secret\n")
    assert wandb_mode("auto") == "online"


def test_auto_obeys_the_environments_mode(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert wandb_mode("auto") == "offline"


def test_a_disabled_run_has_no_logger(tmp_path):
    with wandb_run("disabled", tmp_path, {}) as loggers:
        assert loggers == []
    assert not list(tmp_path.iterdir())


@pytest.fixture
def no_network(monkeypatch):
    """A key is configured, and a server that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr("isplit.tracking.run.PATIENCE_S", 0.5)
        teardown()
        yield
    teardown()


def test_auto_goes_offline_where_wandb_cannot_be_reached(tmp_path, no_network, caplog):
    with wandb_run("auto", tmp_path, {"seed": 1}) as told:
        log_summary(told, {"x": 1})
    lines = [record.message for record in caplog.records if "tracking" in record.message]
    assert lines[0] == "tracking: W&B cannot be reached: offline, wandb sync later"
    assert read_run(tmp_path).summary["x"] == 1


def test_online_is_refused_where_wandb_cannot_be_reached(tmp_path, no_network):
    with (
        pytest.raises(ValueError, match=r"W&B cannot be reached: logger\.mode=offline keeps"),
        wandb_run("online", tmp_path, {}),
    ):
        pytest.fail("it began")


def test_the_environments_online_is_refused_too(tmp_path, no_network, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(ValueError, match="cannot be reached"), wandb_run("auto", tmp_path, {}):
        pytest.fail("it began")


def test_online_without_a_key_is_refused_and_nobody_is_asked(tmp_path):
    with (
        pytest.raises(ValueError, match=r"no W&B key \(wandb login\): logger\.mode=offline"),
        wandb_run("online", tmp_path, {}),
    ):
        pytest.fail("it began")


def test_a_logger_that_fails_says_so_once_and_ends_nothing(tmp_path, caplog):
    class Full(CSVLogger):
        def log_metrics(self, metrics, step=None):
            raise OSError("no space left")

    logger = forgiving(Full(tmp_path))
    for _ in range(3):
        log_summary([logger], {"x": 1})
    assert caplog.text.count("tracking: log_metrics failed: no space left") == 1


def test_everything_told_offline_is_read_back(tmp_path):
    about = {"project": "p", "name": "n", "group": "g", "tags": ["t"], "job_type": "analyze"}
    report = tmp_path / "report.html"
    report.write_text("<p>whole</p>")
    with wandb_run("offline", tmp_path, {"data": {"name": "letters"}, "seed": 1}, **about) as told:
        log_findings(told, FOUND, report)
    run = read_run(tmp_path)
    names = ("project", "display_name", "run_group", "tags", "job_type")
    assert [run.about[name] for name in names] == ["p", "n", "g", ["t"], "analyze"]
    assert run.config.items() >= {"data/name": "letters", "seed": 1}.items()
    assert run.history[0]["agreement/cui"] == 0.5
    assert run.summary.items() >= {"agreement/cui": 0.5, "best/layer": "block1"}.items()
    table = (["layer", "rank", "accuracy"], [["block1", 1, 0.9], ["block2", 2, None]])
    assert run.tables == {"points": table, "rank_table": table, "curve_table": table}
    shown = {name: run.config[f"_wandb.visualize.{name}"] for name in ("rank", "curve")}
    charts = {name: chart["panel_config"] for name, chart in shown.items()}
    assert charts["rank"]["panelDefId"] == "wandb/scatter/v0"
    assert charts["rank"]["fieldSettings"] == {"x": "rank", "y": "accuracy"}
    assert charts["curve"]["panelDefId"] == "wandb/line/v0"
    assert run.artifacts["report"] == {"report.html": "<p>whole</p>"}
    assert run.exit_code == 0


def test_an_analysis_tells_its_curves_scores_and_report(tmp_path):
    accuracies, values = [0.7, 0.9, 0.8, 0.85], {"cui": [1, 4, 2, 3], "depth": [0, 1, 2, 3]}
    made = condition(accuracies, curves=values, left_untrained=(3,))
    made = replace(made, agreement=agreement(made, draws=50))
    (tmp_path / "report.html").write_text("<p>whole</p>")
    with wandb_run("offline", tmp_path, {}, job_type="analyze") as told:
        log_findings(told, condition_findings(made), tmp_path / "report.html")
    run = read_run(tmp_path)
    columns, rows = run.tables["curves"]
    assert columns == ["index", "layer", "predictor", "value", "rank", "accuracy"]
    cui = [row for row in rows if row[2] == "cui"]
    assert [(row[3], row[4], row[5]) for row in cui] == [
        (1, 4, 0.7),
        (4, 1, 0.9),
        (2, 3, 0.8),
        (3, 2, None),
    ]
    assert run.tables["cui_curve_table"] == (columns, cui)
    assert run.tables["cui_rank_accuracy_table"] == (columns, cui[:3])
    fields = run.config["_wandb.visualize.cui_rank_accuracy"]["panel_config"]["fieldSettings"]
    assert fields == {"x": "rank", "y": "accuracy"}
    assert run.summary["agreement/cui/spearman"] == pytest.approx(1)
    assert run.summary["agreement/depth/spearman"] == pytest.approx(0.5)
    assert run.summary["agreement/verdict"] == made.agreement.verdict
    assert run.artifacts["report"] == {"report.html": "<p>whole</p>"}


def test_the_parts_of_findings_are_told_under_their_slugs(tmp_path):
    made = condition([0.7, 0.9, 0.8, 0.85], curves={"cui": [1, 4, 2, 3]})
    made = replace(made, agreement=agreement(made, draws=50))
    both = [replace(made, name="small"), replace(made, name="other")]
    found = together(both, [condition_findings(c) for c in both], [])
    with wandb_run("offline", tmp_path, {}) as told:
        log_findings(told, found)
    run = read_run(tmp_path)
    assert run.tables["leaderboard"][1][0][:2] == ["cui", pytest.approx(1)]
    assert {"small/curves", "other/curves"} <= set(run.tables)
    assert run.summary["other/agreement/cui/spearman"] == pytest.approx(1)


def test_a_table_that_wandb_does_not_take_ends_nothing(tmp_path, caplog):
    mixed = Table.of_rows("points", [{"layer": "block1"}, {"layer": 3}])
    with wandb_run("offline", tmp_path, {}) as told:
        log_findings(told, replace(FOUND, logged={"points": mixed}))
    assert "tracking: log_tables failed" in caplog.text
    assert read_run(tmp_path).summary["agreement/cui"] == 0.5


@pytest.mark.parametrize("ends", [True, False])
def test_a_service_that_fails_or_does_not_end_leaves_the_job_offline(
    tmp_path, monkeypatch, caplog, ends
):
    def fail(*_):
        raise MailboxClosedError("the service is gone")

    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setattr("isplit.tracking.run._answers", fail)
    monkeypatch.setattr("wandb.teardown", (lambda: None) if ends else fail)
    with wandb_run("auto", tmp_path, {}) as told:
        assert told
    assert "tracking: the service is gone: offline, wandb sync later" in caplog.text


def test_a_run_that_raises_ends_as_failed(tmp_path):
    with pytest.raises(KeyError), wandb_run("offline", tmp_path, {}):
        raise KeyError("x")
    assert read_run(tmp_path).exit_code == 1


def test_other_loggers_are_told_the_numbers_only(tmp_path):
    logger = CSVLogger(tmp_path)
    log_findings([logger], replace(FOUND, numbers={"accuracy": 0.5, "layer": "x"}), tmp_path)
    (metrics,) = tmp_path.rglob("metrics.csv")
    assert metrics.read_text().splitlines() == ["accuracy,step", "0.5,0"]


RESULT = SplitResult(
    schema=1,
    model="vgg16",
    data="letters",
    num_classes=3,
    seed=4,
    split=ChosenSplit("features.23", 9, (8, 4, 4), "gradient:auto", "block3_pool"),
    curve=CurveValue("gradient", -1.5, 2, 18),
    bottleneck=BottleneckResult(0.9, 0.875, (1, 4, 4), 0.25),
    accuracy=Accuracy(0.9, 0.5, 0.75, 200),
    per_class=PerClass(("A", "B", "C"), (1.0, 1.0, 1.0), (0.5, 0.5, 0.5)),
    cost=Cost(1, 2, 3, 4, 5, 512, 64),
    stages={},
)


def test_a_results_keys_are_flat_and_the_curve_goes_by_its_kind():
    flat = flat_numbers(RESULT).numbers
    assert flat["curve/kind"] == "gradient"
    assert flat["curve/value"] == flat["curve/gradient"] == -1.5
    assert flat["curve/rank"] == flat["curve/gradient_rank"] == 2
    about = {"model": "vgg16", "data": "letters", "seed": 4}
    where = {"split/layer": "features.23", "split/index": 9, "cost/payload_bytes": 64}
    assert flat.items() >= (about | where | {"accuracy/after_finetune": 0.75}).items()
    assert all(isinstance(value, str | int | float) for value in flat.values())


def test_a_result_is_in_the_summary_with_its_strings(tmp_path):
    with wandb_run("offline", tmp_path, {}) as told:
        log_findings(told, flat_numbers(RESULT, "block3_pool/"))
    summary = read_run(tmp_path).summary
    assert summary["block3_pool/split/layer"] == "features.23"
    assert summary["block3_pool/accuracy/after_finetune"] == 0.75


def run_of(cfg, folder):
    """The W&B run that the loggers of a job write to."""
    with loggers(cfg, folder) as told:
        return told[0].experiment


def job(root, *overrides):
    return compose_job(root, "logger=wandb", "logger.mode=offline", *overrides)


def test_runs_group_themselves(tmp_path):
    run = run_of(job(tmp_path, "logger.tags=[mine]"), tmp_path)
    assert (run.group, run.job_type) == ("vgg16-letters", "train")
    assert sorted(run.tags) == ["letters", "mine", "rate=0.9", "vgg16"]
    assert run.name == "letters-vgg16-block3_pool-rate0.9-seed0"
    assert run.config["split/layer"] == "block3_pool"


def test_the_users_group_and_the_size_of_the_code_are_kept(tmp_path):
    run = run_of(job(tmp_path, "logger.group=mine", "bottleneck.code_elements=64"), tmp_path)
    assert run.group == "mine"
    assert "code=64" in run.tags


OF_WANDB = {
    "WANDB_PROJECT": "their project",
    "WANDB_NAME": "their name",
    "WANDB_RUN_GROUP": "their group",
    "WANDB_TAGS": "one, other",
}


def test_wandbs_variables_count_where_the_keys_are_left_alone(tmp_path, monkeypatch):
    for name, value in OF_WANDB.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "theirs"))
    run = run_of(job(tmp_path), tmp_path)
    assert (run.project, run.name, run.group) == ("their project", "their name", "their group")
    assert {"one", "other", "vgg16"} <= set(run.tags)
    assert list((tmp_path / "theirs").glob("wandb/offline-run-*"))


def test_an_empty_variable_of_wandbs_is_none(tmp_path, monkeypatch):
    for name in (*OF_WANDB, "WANDB_DIR"):
        monkeypatch.setenv(name, "")
    teardown()  # it reads its variables once
    run = run_of(job(tmp_path), tmp_path)
    assert (run.project, run.group) == ("isplit", "vgg16-letters")
    assert run.name == "letters-vgg16-block3_pool-rate0.9-seed0"


def test_what_wandb_refuses_is_said_by_its_key(tmp_path):
    for key in ("project=team/isplit", f"tags=[{'t' * 65}]"):
        with pytest.raises(ValueError, match=r"logger\.project='.*logger\.tags="):
            run_of(job(tmp_path, f"logger.{key}"), tmp_path)


def test_wandbs_variables_give_way_to_the_keys(tmp_path, monkeypatch):
    for name, value in OF_WANDB.items():
        monkeypatch.setenv(name, value)
    keys = ("project=p", "name=n", "group=g", "tags=[t]")
    run = run_of(job(tmp_path, *(f"logger.{key}" for key in keys)), tmp_path)
    assert (run.project, run.name, run.group) == ("p", "n", "g")
    assert "t" in run.tags
    assert "one" not in run.tags


def test_the_same_job_on_the_same_store_has_the_same_id(tmp_path):
    first = job_id(job(tmp_path))
    assert first == job_id(job(tmp_path, "paths.output=elsewhere", "logger.tags=[x]"))
    others = [job(tmp_path, "seed=1"), job(tmp_path, "paths.store=another")]
    assert len({first, *map(job_id, others)}) == 3


def test_a_crashed_job_goes_on_with_its_run(tmp_path):
    cfg = job(tmp_path)
    run = run_of(cfg, tmp_path)
    assert (run.id, run.settings.resume) == (job_id(cfg), "allow")


def test_without_resume_a_job_is_a_new_run(tmp_path):
    cfg = job(tmp_path, "logger.resume=false")
    run = run_of(cfg, tmp_path)
    assert run.id != job_id(cfg)
    assert run.settings.resume is None


@pytest.fixture
def another_environment(monkeypatch):
    """Sets variables and lets W&B, which reads them once, see them."""

    def see(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        teardown()

    yield see
    teardown()


def test_an_agents_run_stays_the_agents(tmp_path, another_environment):
    another_environment(WANDB_RUN_ID="by-agent", WANDB_SWEEP_ID="sweep1")
    run = run_of(job(tmp_path, "logger.resume=false"), tmp_path)
    assert (run.id, run.sweep_id, run.settings.resume) == ("by-agent", "sweep1", "allow")


def test_the_environments_wish_to_resume_stands(tmp_path, another_environment):
    another_environment(WANDB_RESUME="never")
    assert run_of(job(tmp_path), tmp_path).settings.resume == "never"


def test_progress_is_lines_where_there_is_no_terminal():
    assert [type(c) for c in progress_callbacks("auto")] == [EpochLines, Estimate]


def test_a_bar_says_the_stage_and_counts_from_one():
    bar, _ = progress_callbacks("bar")
    module = SimpleNamespace(name="finetune")
    bar._trainer = SimpleNamespace(lightning_module=module, max_epochs=6)
    assert bar._get_train_description(0) == "finetune: epoch 1/6"


@pytest.mark.parametrize(
    ("step_s", "said"), [(30, ["fit: about 14 minutes of training ahead"]), (2, [])]
)
def test_a_long_stage_says_how_long_after_its_first_steps(step_s, said, monkeypatch, caplog):
    """Of 39 steps 28 are ahead after the eleventh; what takes less than a minute is not said."""
    now = [0]
    monkeypatch.setattr(tracking_progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    trainer = SimpleNamespace(estimated_stepping_batches=39, global_step=0)
    estimate = Estimate()
    with caplog.at_level("INFO"):
        for trainer.global_step in range(1, 40):
            now[0] += step_s
            estimate.on_train_batch_end(trainer, SimpleNamespace(name="fit"))
    assert caplog.messages == said
