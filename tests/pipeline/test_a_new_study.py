"""A study of sixty lines, added here: on the screen, in the report, as CSV and in the tracker."""

import csv
from statistics import fmean

import pytest
from omegaconf import OmegaConf
from pipeline.test_analyze import compose_analysis
from wandb_files import read_run

from isplit import runs
from isplit.report.canvas import DARK, mark, over_points
from isplit.report.findings import Chart, Drawing, Findings, slug
from isplit.report.table import Column, Estimate, Table
from isplit.runs.analyze import STUDIES
from isplit.studies.collect import by_condition
from isplit.studies.conditions import condition_of
from isplit.studies.seen import Seen

DRAWN = True
POINTS = ["block1_pool", "block2_pool", "block3_pool", "block5_conv3"]
COLUMNS = (
    Column("point", "split point", screen=1),
    Column("depth", screen=2),
    Column("accuracy", "mean [lowest, highest]", form=".3f", screen=3),
    Column("spread", "spread", "points", ".1f", 100, screen=2),
)


def spread_study(found, look, options):
    """How far repeated trainings of a point lie apart, by its depth."""
    groups = by_condition(found.runs).items()
    parts = [_of(condition_of(name, group, Seen({}))) for name, group in groups]
    worst = max((row["spread"], row["point"]) for part in parts for row in part.tables[0].rows)
    answer = f"Trainings lie apart by up to {100 * worst[0]:.1f} points, at {worst[1]}."
    if len(parts) == 1:
        return parts[0]
    return Findings(
        "Spread by depth", answer, verdict="By chance.", parts=parts, left_out=found.left_out
    )


def _of(condition):
    rows = []
    for retrained in condition.retrained:
        each = [result.accuracy.after_finetune for result in retrained.results]
        row = {"point": condition.points[retrained.position].label, "depth": retrained.position}
        row |= {"accuracy": Estimate(fmean(each), min(each), max(each))}
        rows.append(row | {"spread": max(each) - min(each), "trainings": len(each)})
    table = Table(
        "Spread of accuracy by depth", COLUMNS, rows, "Of the trainings of a point.", True
    )
    plain = Table.of_rows("spread", [row | {"accuracy": row["accuracy"].value} for row in rows])
    figure, axes = over_points(condition.points)
    for row in rows:
        axes.plot([row["depth"]], [row["spread"]], "o", color=DARK)
        mark(axes, row["depth"], row["spread"], f"{row['point']}: {row['spread']:.3f}")
    highest = max(row["spread"] for row in rows)
    return Findings(
        condition.name,
        f"Trainings lie apart by up to {100 * highest:.1f} points.",
        "Repeated trainings say how far chance goes.",
        slug=slug(condition.name),
        facts=condition.facts,
        tables=[table],
        figures=[Drawing("spread", "The spread at each split point.", figure)],
        files={"spread.csv": plain, "spread.json": {"highest": highest}},
        numbers={"spread/highest": highest},
        logged={"spread": plain},
        charts={"spread_by_depth": Chart(plain, "scatter", "depth", "spread", "Spread")},
        words={"spread": "The highest accuracy of a point minus its lowest."},
    )


@pytest.fixture
def analysed(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(STUDIES, "spread", spread_study)
    jobs = f"runs=[{trained / 'one'},{trained / 'again'}]"
    cfg = compose_analysis(tmp_path, "logger=wandb", "logger.mode=offline", jobs)
    cfg.study = OmegaConf.create({"name": "spread"})
    runs.analyze(cfg)
    return tmp_path / "analysis", capsys.readouterr().out


def test_a_study_is_a_function_and_a_line_in_the_table_of_studies(analysed):
    folder, screen = analysed
    with (folder / "spread.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["point"] for row in rows] == POINTS
    assert [row["trainings"] for row in rows] == ["2"] * len(POINTS)
    spread = float(rows[2]["spread"])
    highest = max(float(row["spread"]) for row in rows)
    assert screen.splitlines()[-1] == f"Trainings lie apart by up to {100 * highest:.1f} points."
    page = (folder / "report.html").read_text("utf-8")
    for shown in (screen, page):
        assert "Spread of accuracy by depth" in shown
        assert f"{100 * spread:.1f}" in shown
    assert f"block3_pool: {spread:.3f}</title>" in page
    assert {"spread.png", "spread.svg", "spread.json", "results.txt"} <= {
        p.name for p in folder.iterdir()
    }
    run = read_run(folder)
    assert run.summary["spread/highest"] == pytest.approx(highest)
    assert [row[0] for row in run.tables["spread"][1]] == POINTS
    assert "_wandb.visualize.spread_by_depth" in run.config


def test_a_study_that_is_not_in_the_table_is_refused(tmp_path):
    cfg = compose_analysis(tmp_path)
    cfg.study.name = "spread"
    with pytest.raises(ValueError, match=r"study\.name='spread' is none of agreement, classes"):
        runs.analyze(cfg)
