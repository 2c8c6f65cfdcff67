import base64
import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from PIL import Image

from isplit.importance.curve import Curve
from isplit.point import SplitPoint
from isplit.report.canvas import save
from isplit.report.svg import inlined
from isplit.studies.curve_figure import auto_and_highest, curve_figure
from isplit.studies.job import curve_findings


def curve(count=18, kind="cui", **changed):
    points = tuple(
        SplitPoint(i, f"layer{i}.relu", (8, max(1, 64 >> (i // 3)), 4), f"n{i}", 0, 0, 0)
        for i in range(count)
    )
    values = tuple(10.0 ** (-5 + i / 9 + (i % 3 == 1)) for i in range(count))
    return Curve(kind, points, changed.pop("values", values), num_images=7, **changed)


def drawn(path, made, chosen, *measured):
    return save(curve_figure(made, chosen, "a title", *measured), path)


def text_of(path):
    return " ".join(ElementTree.parse(path).getroot().itertext())


@pytest.mark.parametrize("count", [2, 18, 60])
def test_every_point_is_named_in_both_files(tmp_path, count):
    png, svg = drawn(tmp_path / "curve", curve(count), [1])
    assert png.read_bytes().startswith(b"\x89PNG")
    labels = re.findall(r"layer(\d+)\.relu  (\d+)", text_of(svg))
    assert labels == [(str(i), str(i)) for i in range(count)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curve.png", "curve.svg"]


def test_the_legend_says_what_the_marks_mean(tmp_path):
    _, svg = drawn(tmp_path / "curve", curve(), [4], {4: 0.9, 7: 0.8})
    legend = text_of(svg)
    for words in ("peak", "chosen", "smaller than the point before (CDE)", "measured accuracy"):
        assert words in legend
    assert "zero" not in legend


def test_accuracies_are_joined_from_the_input_on_in_whatever_order_they_were_trained():
    figure = curve_figure(curve(), [4, 7], "a title", {7: 0.8, 2: 0.7, 4: 0.9})
    line = next(
        line for axes in figure.axes for line in axes.lines if "(right)" in line.get_label()
    )
    assert line.get_xydata().tolist() == [[2, 0.7], [4, 0.9], [7, 0.8]]


def test_a_picture_of_more_pixels_than_its_format_in_the_page_has_is_made_smaller(tmp_path):
    Image.new("L", (30, 17_000)).save(tmp_path / "heatmaps.png")
    page = inlined(tmp_path / "heatmaps.png", "prefix", "heat maps")
    data = base64.b64decode(page.partition("base64,")[2].partition('"')[0])
    assert Image.open(io.BytesIO(data)).height == 16_383


def test_a_zero_is_shown_as_a_gap_on_the_log_axis(tmp_path):
    values = (1e-3, 0.0, 2e-3, 1e-3)
    _, svg = drawn(tmp_path / "curve", curve(4, values=values), [2])
    assert "zero: no place on a log scale" in text_of(svg)


def test_a_curve_of_zeros_and_a_negative_curve_are_drawn(tmp_path):
    for name, made in {
        "zeros": curve(3, values=(0.0, 0.0, 0.0)),
        "cde": curve(4, "cde", values=(-4.0, -3.0, -4.0, -2.0), marked=(1, 3)),
    }.items():
        png, _ = drawn(tmp_path / name, made, [])
        assert png.stat().st_size > 0


def test_the_same_curve_gives_the_same_bytes(tmp_path):
    first, second = (drawn(tmp_path / name, curve(), [1]) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_no_display_and_no_global_state_is_needed():
    check = "import isplit.report.canvas, sys; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True, env=os.environ | {"DISPLAY": ""})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((1.0, 5.0, 2.0, 9.0), "layer3.relu, passed over: the last point, so no interior peak"),
        ((9.0, 5.0, 6.0, 1.0), "layer0.relu, passed over: the first point, so no interior peak"),
        (
            (1.0, 5.0, 2.0, 1.0),
            "auto: layer1.relu (highest interior peak)highest value: layer1.relu",
        ),
        ((1.0, 2.0, 3.0, 4.0), "auto: layer2.relu (highest value that may be taken)"),
    ],
)
def test_the_curve_says_why_a_higher_point_was_passed_over(tmp_path, values, words):
    _, svg = drawn(tmp_path / "curve", curve(4, values=values), [1])
    assert "".join(words.split()) in "".join(text_of(svg).split())


def test_of_a_curve_whose_highest_value_is_taken_only_limits_pass_one_over():
    made = curve(4, kind="probe", values=(-3.0, -1.0, -2.0, -0.5))
    last = "layer3.relu"
    assert auto_and_highest(made, 3) == (f"auto: {last} (highest value)", f"highest value: {last}")
    assert auto_and_highest(made, 1) == (
        "auto: layer1.relu (highest value that may be taken)",
        f"highest value: {last}, passed over: outside the limits, or not trained",
    )


def test_the_rule_of_auto_is_said_in_title_and_table(tmp_path):
    made, (point, *_) = curve(4, kind="probe"), curve(4).points
    found = curve_findings(made, [point], 3)
    assert found.name == "probe of 4 split points, 7 images; auto takes its highest value"
    assert curve_findings(replace(made, kind="cui"), [point], 3).name.endswith("interior peak")


def test_the_answer_is_the_title_of_the_curve(tmp_path):
    answer = "Cut after block5_conv2: accuracy 0.900 -> 0.887, 2,048 -> 32 bytes a frame, " * 2
    _, svg = save(curve_figure(curve(), [1], answer), tmp_path / "curve")
    assert "".join(answer.split()) in "".join(text_of(svg).split())
