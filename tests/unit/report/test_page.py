import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import report_samples as samples
from isplit.report.cells import Cell, Grid
from isplit.report.grids import leaderboard_grid, points_grid, predictors_grid
from report_samples import NASTY

from isplit.report import page
from isplit.report.page import Extras, write_report


@pytest.fixture(scope="session")
def analysis(tmp_path_factory):
    return samples.analysis(tmp_path_factory.getbasetemp())


class Parsed(HTMLParser):
    """Tags with their attributes, ids, and the text outside scripts and styles."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.ids, self.text, self._in = [], [], "", ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self._in = tag
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_data(self, data):
        if self._in not in ("script", "style"):
            self.text += data


@pytest.fixture(scope="module")
def parsed(analysis):
    return Parsed(analysis.path)


def test_the_verdict_comes_first(analysis, parsed):
    text = parsed.text
    verdict = text.index(analysis.board.verdict)
    assert verdict < text.index("All conditions") < text.index("first <b>")
    assert text.index("How each number was made") < text.index("Versions and configs")
    assert analysis.conditions[1].agreement.verdict in text


def test_names_stand_as_they_are_and_are_never_markup(analysis, parsed):
    assert f"{NASTY} A" in parsed.text
    assert not [tag for tag, _ in parsed.tags if tag == "b"]
    assert "alert(1)</script>" not in analysis.path.read_text(encoding="utf-8").replace("<\\", "")


def test_nothing_is_fetched(parsed):
    for tag, attributes in parsed.tags:
        assert tag not in ("link", "iframe", "object", "embed")
        assert attributes.get("src", "data:").startswith("data:")
        assert "://" not in attributes.get("href", "")
    styles = re.findall(r"@import|url\((?!#)", page._source("report.css"))
    assert not styles


def test_no_two_elements_share_an_id_and_every_reference_finds_one(analysis, parsed):
    assert len(parsed.ids) == len(set(parsed.ids))
    text = analysis.path.read_text(encoding="utf-8")
    references = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    assert references <= set(parsed.ids)
    assert len(references) > 50


def test_what_is_missing_is_named(analysis, parsed):
    for line in (
        "run_7: no result.json, the job did not finish",
        f"run 9 {NASTY}: schema 0, this program reads 1",
        "third: no agreement",
    ):
        assert line in parsed.text


def test_without_a_leaderboard_the_first_verdict_stands_on_top(analysis, tmp_path):
    one = analysis.conditions[:1]
    text = Parsed(write_report(tmp_path / "report.html", one)).text
    assert text.index(one[0].agreement.verdict) < text.index("first <b>")
    assert text.count(one[0].agreement.verdict) == 1
    assert "All conditions" not in text


def test_a_condition_without_a_judgement_says_so(analysis, tmp_path):
    text = Parsed(write_report(tmp_path / "report.html", analysis.conditions[2:])).text
    assert "Too few splits were trained to judge a predictor." in text
    assert text.count("not trained") == 3


def test_many_conditions_keep_the_size_and_the_rest_is_named(analysis, tmp_path, monkeypatch):
    first = analysis.conditions[0]
    copies = [replace(first, name=f"number {k}", slug=f"slug{k}") for k in range(12)]
    drawings = {c.slug: analysis.extras.drawings[first.slug] for c in copies}
    monkeypatch.setattr(page, "BYTES_AT_MOST", 500_000)
    path = write_report(tmp_path / "report.html", copies, None, Extras(drawings))
    assert 300_000 < path.stat().st_size <= 500_000
    parsed = Parsed(path)
    figures = sum(tag == "figure" for tag, _ in parsed.tags)
    left = parsed.text.count("not in this page, which would become too large")
    tables = sum(tag == "table" for tag, _ in parsed.tags)
    assert figures > len(drawings[copies[0].slug])
    assert figures + tables + left == 12 * (len(drawings[copies[0].slug]) + 3)
    assert all(f"number {k}" in parsed.text for k in range(12))


def test_no_conditions_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no conditions to report: runs= found no finished run"):
        write_report(tmp_path / "report.html", [])


def test_extra_tables_stand_in_their_section(analysis, tmp_path):
    grid = Grid("Subsets", ("subset", "accuracy"), ((Cell("a & b"), Cell("0.9", 0.9)),))
    extras = Extras(grids={analysis.conditions[1].slug: [grid]})
    text = Parsed(write_report(tmp_path / "report.html", analysis.conditions, None, extras)).text
    assert text.index("second") < text.index("Subsets") < text.index("third")


def test_every_row_has_a_cell_for_each_column(analysis):
    first = analysis.conditions[0]
    for grid in (points_grid(first), predictors_grid(first), leaderboard_grid(analysis.board)):
        assert {len(row) for row in grid.rows} == {len(grid.columns)}
        assert grid.rows


def test_cells_sort_by_the_number_behind_the_text():
    condition = samples.condition(count=4, trained=[1, 2, 3])
    grid = points_grid(condition)
    column = grid.columns.index("accuracy")
    values = [row[column].value for row in grid.rows]
    assert values[0] is None
    assert values[1:] == [t.accuracy for t in condition.retrained]
    assert grid.rows[0][column].text == "not trained"
