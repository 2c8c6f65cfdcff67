import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import report_samples as samples
from report_samples import NASTY

from isplit.report import page
from isplit.report.findings import Findings, write_findings
from isplit.report.page import write_report
from isplit.report.table import Column, Table
from isplit.studies.agreement.study import condition_findings
from isplit.studies.agreement.tables import points_table, predictors_table, standings_table


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
        if self._in not in ("script", "style", "title"):
            self.text += data


@pytest.fixture(scope="module")
def parsed(analysis):
    return Parsed(analysis.path)


def written(folder, found):
    write_findings(found, folder)
    return Parsed(write_report(folder, found))


def test_the_answer_comes_first_then_the_verdict(analysis, parsed):
    text = parsed.text
    answer, verdict = (
        text.index(words) for words in (analysis.found.answer, analysis.board.verdict)
    )
    assert answer < verdict < text.index("The most accurate trained") < text.index("Cut after ")
    assert text.index("How each number was made") < text.index("Versions and configs")
    for condition, part in zip(analysis.conditions, analysis.found.parts, strict=True):
        assert part.answer in text
        assert condition.agreement is None or condition.agreement.verdict in text


def test_names_stand_as_they_are_and_are_never_markup(analysis, parsed):
    assert f"{NASTY} A" in parsed.text
    assert not [tag for tag, _ in parsed.tags if tag == "b"]
    assert "alert(1)</script>" not in analysis.path.read_text(encoding="utf-8").replace("<\\", "")


def test_nothing_is_fetched(parsed):
    for tag, attributes in parsed.tags:
        assert tag not in ("link", "iframe", "object", "embed")
        assert attributes.get("src", "data:").startswith("data:")
        assert "://" not in attributes.get("href", "")
    css = page.templates.loader.get_source(page.templates, "report.css")[0]
    assert not re.findall(r"@import|url\((?!#)", css)


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
        "third: figure scatter: fewer than three splits were trained",
    ):
        assert line in parsed.text


def test_of_one_condition_its_answer_stands_on_top(analysis, tmp_path):
    found = analysis.found.parts[0]
    text = written(tmp_path, found).text
    assert text.index(found.answer) < text.index(found.verdict) < text.index(found.name)
    assert text.count(found.verdict) == 1
    assert "Where to cut" not in text


def test_many_conditions_keep_the_size_and_the_rest_is_named(analysis, tmp_path, monkeypatch):
    first = replace(analysis.found.parts[0], figures=analysis.found.parts[0].figures[:2])
    copies = [replace(first, name=f"number {k}", slug=f"slug{k}") for k in range(6)]
    monkeypatch.setattr(page, "BYTES_AT_MOST", 300_000)
    parsed = written(tmp_path, Findings("all", parts=copies))
    assert 200_000 < (tmp_path / "report.html").stat().st_size <= 300_000
    figures = sum(tag == "figure" for tag, _ in parsed.tags)
    left = parsed.text.count("not in this page, which would become too large")
    tables = sum(tag == "table" for tag, _ in parsed.tags)
    assert figures > len(first.figures)
    assert left > 0
    assert figures + tables + left == 6 * (len(first.figures) + len(first.tables))
    assert all(f"number {k}" in parsed.text for k in range(6))


def test_a_table_of_any_findings_stands_in_its_section(tmp_path):
    columns = (Column("subset"), Column("accuracy", form=".1f"))
    table = Table("Subsets", columns, [{"subset": "a & b", "accuracy": 0.9}])
    parts = [Findings("first"), Findings("second", tables=[table]), Findings("third")]
    text = written(tmp_path, Findings("all", parts=parts)).text
    assert text.index("second") < text.index("a & b") < text.index("third")


def test_every_row_has_a_cell_for_each_column(analysis):
    first = analysis.conditions[0]
    for table in (points_table(first), predictors_table(first), standings_table(analysis.board)):
        assert {len(row) for row in table.cells()} == {len(table.columns)}
        known = {key for row in table.rows for key in row}
        assert {column.key for column in table.columns} <= known


def test_cells_sort_by_the_number_behind_the_text():
    condition = samples.condition(count=4, trained=[1, 2, 3])
    table = points_table(condition)
    column = [c.key for c in table.columns].index("accuracy")
    cells = [row[column] for row in table.cells()]
    assert cells[0] == ("-", None)
    assert [number for _, number in cells[1:]] == [t.accuracy for t in condition.retrained]


def test_auto_and_highest_value_are_told_apart_with_the_loss_of_either():
    made = samples.condition(count=9)
    cui = replace(made.curves["cui"], values=(1, 2, 9, 3, 1, 4, 2, 1, 20))
    made = samples.judged(replace(made, curves={**made.curves, "cui": cui}))
    row = next(r for r in predictors_table(made).rows if r["predictor"] == "cui")
    accuracy = [t.accuracy for t in made.retrained]
    assert (row["auto"], row["pick"]) == (made.points[2].label, made.points[8].label)
    assert row["auto_regret"] == max(accuracy) - accuracy[2]
    assert row["regret"] == max(accuracy) - accuracy[8]
    verdict = condition_findings(made).verdict
    assert f"(auto), {row['auto']}," in verdict
    assert f"its highest value, {row['pick']}," in verdict
