"""The saved view holds what it is for, as W&B's server would get it."""

import json
import runpy

import pytest
from pipeline.jobs import ROOT
from pipeline.wandb_server import ENTITY, wandb_server
from wandb_files import teardown

VIEW = runpy.run_path(str(ROOT / "sweeps" / "workspace.py"))


@pytest.fixture(scope="module")
def spec():
    return VIEW["workspace"]("lab")._to_model().spec.model_dump(by_alias=True, exclude_none=True)


def panels(spec, kind):
    (section,) = [one for one in spec["section"]["panelBankConfig"]["sections"] if one["panels"]]
    return [panel["config"] for panel in section["panels"] if panel["viewType"] == kind]


def test_the_scatter_of_rank_against_accuracy_is_in_it(spec):
    axes = [(chart["xAxis"], chart["yAxis"]) for chart in panels(spec, "Scatter Plot")]
    assert axes[0] == ("summary:curve/cui_rank", "summary:accuracy/final")
    assert ("summary:split/index", "summary:curve/cui") in axes


def test_the_curve_is_coloured_by_accuracy(spec):
    curve = panels(spec, "Scatter Plot")[1]
    assert curve["zAxis"] == "summary:accuracy/final"


def test_parallel_coordinates_go_over_layer_rate_bytes_and_accuracy(spec):
    (chart,) = panels(spec, "Parallel Coordinates Plot")
    assert [column["accessor"] for column in chart["columns"]] == [
        "summary:split/label",
        "summary:bottleneck/compression_rate",
        "summary:cost/payload_bytes",
        "summary:accuracy/final",
    ]


def test_the_runs_are_grouped_by_model_and_data(spec):
    (runs,) = spec["section"]["runSets"]
    assert [key["name"] for key in runs["grouping"]] == ["model/name.value", "data/name.value"]


def test_another_predictor_has_its_own_view():
    assert (
        "curve/probe_rank" in VIEW["workspace"]("lab", kind="probe")._to_model().model_dump_json()
    )


def test_it_is_saved_with_wandbs_own_client(monkeypatch, capsys):
    with wandb_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        teardown()
        assert VIEW["main"]([ENTITY, "--project", "mine"]) == 0
        (view,) = server.views
    teardown()
    assert "curve/cui_rank" in json.dumps(view)
    assert f"{ENTITY}/mine" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "message"), [("", "there is no W&B key"), ("k" * 40, "the view was not saved: ")]
)
def test_it_never_asks(monkeypatch, capsys, tmp_path, key, message):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asked"))
    monkeypatch.setattr("getpass.getpass", lambda *_: pytest.fail("it asked"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    teardown()
    with pytest.raises(SystemExit, match="2"):
        VIEW["main"]([ENTITY])
    teardown()
    assert message in capsys.readouterr().err
