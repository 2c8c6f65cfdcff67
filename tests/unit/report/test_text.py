"""Names that are markup, formulas, or steer a terminal come out as text, everywhere."""

import csv
import io
import logging
import math
import os
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import report_samples as samples
from rich.console import Console

from isplit.report.canvas import mark, over_points, save
from isplit.report.findings import Findings, of_all, write_findings
from isplit.report.page import write_report
from isplit.report.screen import fitted, say
from isplit.report.table import Column, Estimate, Table
from isplit.report.text import csv_text, printable
from isplit.result import PerClass
from isplit.runs.command import PlainFormatter
from isplit.studies.agreement.study import condition_findings

NAMES = (
    *("[/x]", "[cat,dog]", "[bold red]", "\x1b[2J", "a\rb", "a\nb", "\x9b31m", "\x00", "\ud800"),
    *("=cmd|' /C calc'!A0", "+1", "-1", "@x", "'quoted", "\t=1", "<b>", "&amp;", '"', "$x_1$", "$"),
    *("_hidden", "%s", "{x}", "\N{RIGHT-TO-LEFT OVERRIDE}gnp", "\ufffe", "日本", "C1: 100 %"),
)
STEERING = ("\x1b", "\r", "\x9b", "\x00", "\ud800", "\N{RIGHT-TO-LEFT OVERRIDE}", "\ufffe")


def table_of(name):
    columns = (Column("name", name, screen=1), Column(name, screen=1))
    return Table(name, columns, [{"name": name, name: 0.5}], note=name, on_screen=True)


@pytest.mark.parametrize("name", NAMES)
def test_on_the_screen(name, capsys):
    found = Findings(name, answer=name, verdict=name, tables=[table_of(name)])
    said = say(found)
    shown = printable(name, "\n")
    for output in (said, capsys.readouterr().out):
        assert "".join(shown.split()) in "".join(output.split())
        assert not any(character in output for character in STEERING)


@pytest.mark.parametrize("name", NAMES)
def test_in_the_lines_of_progress(name):
    record = logging.LogRecord("isplit", logging.INFO, "", 0, "%s: 3 runs", (name,), None)
    line = PlainFormatter("[a job] %(message)s").format(record)
    assert line == f"[a job] {printable(name, kept=chr(10) + chr(9))}: 3 runs"
    assert not any(character in line for character in STEERING)


@pytest.mark.parametrize("name", NAMES)
def test_in_csv_a_program_gets_the_name_back_and_a_spreadsheet_no_formula(name):
    text = csv_text([name], [[name, 0.5, -1.5, None, float("nan"), True]])
    (header,), (cell, *others) = csv.reader(io.StringIO(text))
    assert others == ["0.5", "-1.5", "", "", "True"]
    assert cell == header
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell.removeprefix("'") == printable(name) or cell == printable(name)
    assert cell.startswith("'") == printable(name).startswith(("=", "+", "-", "@", "'"))
    assert not any(character in text for character in STEERING)


@pytest.mark.parametrize("name", NAMES)
def test_in_figures(name, tmp_path):
    figure, axes = over_points(samples.points(3))
    axes.plot([0, 1], [0, 1], label=name)
    axes.set_title(name)
    mark(axes, 0, 0, name)
    _, svg = save(figure, tmp_path / "figure")
    root = ElementTree.parse(svg).getroot()
    titles = [e.text for e in root.iter() if e.tag.endswith("}title") and e.text]
    assert " ".join(printable(name).split()) in [" ".join(title.split()) for title in titles]
    words = "".join("".join(root.itertext()).split())
    assert "".join(printable(name, "\n").split()) in words


def test_in_all_of_a_report(tmp_path):
    """Classes, model, data and points of these names: drawn, written, parsed."""
    made = samples.condition("=cmd|[/x]\x1b[2J<b>$x", count=4, classes=len(NAMES), repeats=1)
    results = [t.results[0] for t in made.retrained]
    per_class = [replace(r.per_class, class_names=NAMES) for r in results]
    assert isinstance(per_class[0], PerClass)
    points = tuple(
        replace(p, aliases=(n,))
        for p, n in zip(made.points, ["[/x]", "=1", "\x1b", "$_$"], strict=True)
    )
    values = next(iter(made.curves["cui"].per_class.values()))
    curves = {k: replace(c, points=points) for k, c in made.curves.items()}
    curves["cui"] = replace(curves["cui"], per_class=dict.fromkeys(NAMES, values))
    facts = {"model": "<b>", "data": "\x1b[2J"}
    made = replace(made, class_names=NAMES, points=points, curves=curves, facts=facts)
    found = condition_findings(made)
    write_findings(found, tmp_path)
    text = write_report(tmp_path, found).read_text("utf-8")
    assert "<b>" not in text
    assert "&lt;b&gt;" in text
    for path in tmp_path.rglob("*.*"):
        if path.suffix in (".html", ".svg", ".csv"):
            assert not any(c in path.read_text("utf-8") for c in STEERING)
    assert not any(character in say(found) for character in STEERING)


def test_a_number_without_end_sorts_behind_all_others_in_a_page():
    column = Column("cost", form="{1}")
    assert [column.number(cost) for cost in ((512.0, "512 images"), (math.inf, "training"))] == [
        512.0,
        None,
    ]


def test_a_long_name_of_another_script_has_a_folder(tmp_path):
    parts = [Findings(name * 60, files={"answer.txt": name}) for name in ("猫と", "犬と")]
    write_findings(of_all(Findings("all"), parts), tmp_path)
    assert len([*tmp_path.glob("*/answer.txt")]) == 2


def test_a_long_name_folds_where_its_column_may():
    names = ["cui(channels=mean, spatial=sum, accumulate=deeper)", "[/x]" * 12]
    columns = (Column("name", fold=20, screen=1), Column("loses", form=".1f", screen=2))
    console = Console(width=40, record=True, file=io.StringIO())
    rows = [{"name": name, "loses": 12.5} for name in names]
    console.print(fitted(Table("t", columns, rows), console))
    said = console.export_text()
    assert all(len(line) <= 40 for line in said.splitlines())
    letters = "".join(line.split("│")[1] for line in said.splitlines() if "│" in line)
    assert all("".join(name.split()) in "".join(letters.split()) for name in names)
    assert said.count("12.5") == 2


@pytest.mark.parametrize(("width", "lost"), [(80, False), (40, False), (24, True)])
def test_the_first_columns_stay_whole_and_others_go(width, lost):
    point = "features.denseblock3.denselayer24"[: min(30, width - 24)]
    columns = (
        Column("point", screen=1),
        Column("unsplit", form=".3f", screen=2),
        Column("split", form=".3f", screen=2),
        Column("rho", form="+.2f", screen=3),
        *(Column(f"more{k}", form=".6f", screen=4) for k in range(6)),
    )
    row = {"point": point or "x", "unsplit": 0.9, "split": 0.887, "rho": Estimate(0.5, 0.1, 0.9)}
    row |= {f"more{k}": 0.123456 for k in range(6)}
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(fitted(Table("a title", columns, [row]), console))
    said = console.export_text()
    assert all(len(line) <= width for line in said.splitlines())
    assert row["point"] in said
    assert (("0.900" in said) and ("0.887" in said)) or lost
    assert "more5" not in said


def test_a_screen_that_cannot_show_it_or_has_gone_loses_no_text(monkeypatch):
    found = Findings("x", answer="10⁶ multiply-accumulates", tables=[table_of("10⁶")])
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "latin-1", write_through=True))
    assert "10⁶ multiply-accumulates" in say(found)
    assert b"10? multiply-accumulates" in written.getvalue()


def test_what_to_do_next_is_said_of_each_condition_in_one_line(capsys):
    commands = [f"python train.py -m data.classes={name * 100}" for name in "AB"]
    parts = [Findings(name, verdict="not tried", command=name) for name in commands]
    printed = say(of_all(Findings("all", "two conditions"), parts)).splitlines()
    assert [line for line in printed if line in commands] == commands


def test_a_reader_that_has_gone_loses_no_text():
    code = "from isplit.report.findings import Findings; from isplit.report.screen import say; "
    code += "import sys; text = say(Findings('x', answer='cut there')); sys.stderr.write(text)"
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE)
    assert b"cut there" in ran.stderr
