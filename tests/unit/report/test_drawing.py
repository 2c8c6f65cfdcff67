import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import report_samples as samples

from isplit.report.canvas import save
from isplit.report.svg import MARK
from isplit.studies.agreement.figures import FIGURES
from isplit.studies.agreement.figures.predictors import leaderboard_figure
from isplit.studies.agreement.leaderboard import leaderboard
from isplit.studies.agreement.study import condition_findings
from isplit.studies.conditions import class_f1, shown_split


@pytest.fixture(scope="module")
def few():
    return samples.condition(count=6, classes=3)


@pytest.fixture(scope="module")
def many():
    return samples.condition(count=18, classes=200, repeats=1, trained=[2, 5, 9, 17], seed=1)


def words(figure):
    return [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]


def marks(figure):
    gids = [artist.get_gid() for artist in figure.findobj() if artist.get_gid()]
    return {gid.removeprefix(MARK) for gid in gids if gid.startswith(MARK)}


def drawn(name, condition):
    return FIGURES[name](condition)


@pytest.mark.parametrize("name", FIGURES)
def test_axes_have_names_and_legends_stand_outside(name, few, many):
    for condition in (few, many):
        figure = drawn(name, condition)
        assert any(axes.get_xlabel() for axes in figure.axes) or figure.get_supxlabel()
        named = any(axes.get_ylabel() for axes in figure.axes) or figure.get_supylabel()
        assert named or (condition is few and name == "f1")  # rows with names of their own
        assert not any(axes.get_legend() for axes in figure.axes)


@pytest.mark.parametrize("name", ["accuracy", "scatter", "tradeoff"])
def test_every_trained_point_can_be_pointed_at(name, few, many):
    for condition in (few, many):
        trained = {condition.points[t.position] for t in condition.retrained}
        said = {words.partition(",")[0] for words in marks(drawn(name, condition))}
        assert said == {f"{point.label} ({point.index})" for point in trained}


@pytest.mark.parametrize("name", ["f1", "classes"])
def test_every_class_can_be_pointed_at(name, few, many):
    for condition in (few, many):
        said = {words.partition(":")[0] for words in marks(drawn(name, condition))}
        assert said == set(condition.class_names)


def test_error_bars_say_what_they_are(few, many):
    assert any("± s.d. of 2 trainings" in text for text in words(drawn("accuracy", few)))
    assert any("± binomial error" in text for text in words(drawn("accuracy", many)))


def test_the_boxes_are_those_of_the_subsets(few):
    without = replace(few, retrained=tuple(replace(t, subset_accuracies=()) for t in few.retrained))
    assert "15 random test subsets (right)" in words(drawn("accuracy", few))
    assert "15 random test subsets (right)" not in words(drawn("accuracy", without))


def test_no_correlation_without_its_n_and_interval(few):
    texts = [text for text in words(drawn("scatter", few)) if "rho" in text]
    assert len(texts) == len(few.agreement.predictors)
    for text in texts:
        assert re.search(r"N=6, rho(=-?\d\.\d\d \[-?\d\.\d\d, -?\d\.\d\d\]| not defined)$", text)


def test_classes_stand_in_the_order_of_their_f1_before(few):
    axes = drawn("f1", few).axes[0]
    order = sorted(range(3), key=lambda c: -few.baseline_f1[c])
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == [few.class_names[c] for c in order]
    assert axes.yaxis_inverted()


def test_the_f1_shown_is_that_of_the_cuis_highest_trained_peak(few):
    cui = few.curves["cui"]
    peaks = [t for t in few.retrained if t.position in cui.peaks()]
    best = max(peaks, key=lambda t: cui.values[t.position])
    assert shown_split(few) == best
    pairs = zip(*(result.per_class.split_f1 for result in best.results), strict=True)
    after = [split for _, _, split in class_f1(few, best)]
    assert after == pytest.approx([(a + b) / 2 for a, b in pairs])
    most_accurate = max(few.retrained, key=lambda t: t.accuracy)
    assert shown_split(replace(few, curves={})) == most_accurate


def test_what_cannot_be_drawn_is_said(few):
    bare = replace(few, retrained=few.retrained[:1], agreement=None, curves={})
    found = condition_findings(bare)
    assert [drawing.name for drawing in found.figures] == ["accuracy", "tradeoff", "f1"]
    assert "figure scatter: fewer than three splits were trained" in found.left_out
    assert len(found.figures) + len(found.left_out) == len(FIGURES) + len(few.left_out)


def test_a_head_that_multiplies_nothing_has_its_place_among_the_costs(few):
    """As of a net that begins with a pooling, without a bottleneck."""
    first, *others = few.retrained
    result = first.results[0]
    free = replace(result, cost=replace(result.cost, head_macs=0, encoder_macs=0))
    figure = drawn("tradeoff", replace(few, retrained=(replace(first, results=(free,)), *others)))
    figure.draw_without_rendering()
    _, macs = figure.axes
    assert macs.get_xlim()[0] < 0


def test_the_scatter_always_has_the_runs_own_predictor_cui_and_depth(many):
    rng = np.random.default_rng(0)
    kinds = ["cui", "depth", "size", *(f"other{k}" for k in range(14))]
    curves = {k: replace(many.curves["cui"], values=tuple(rng.random(18))) for k in kinds}
    made = samples.judged(replace(many, curves=curves, ranked_by="size"))
    titles = [text.split("\n")[0] for text in words(drawn("scatter", made)) if "N=" in text]
    assert titles[:3] == ["size", "cui", "depth"]
    assert len(titles) == 12


def test_a_curve_of_zeros_is_not_divided_by_its_maximum(few):
    flat = replace(few.curves["gradient"], values=(0.0,) * 6)
    assert drawn("gradients", replace(few, curves={**few.curves, "gradient": flat})) is None


def test_the_leaderboard_has_a_row_for_each_predictor_and_the_ceiling(few, many):
    board = leaderboard((few, many))
    figure = leaderboard_figure(board)
    texts = words(figure)
    assert {f"{s.predictor}  ({s.conditions})" for s in board.standings} <= set(texts)
    assert f"noise ceiling of one training: {board.ceiling:.2f}" in texts
    assert len(marks(figure)) == len(board.standings)
    assert leaderboard_figure(replace(board, standings=())) is None
    without = replace(board, ceiling=None)
    assert not any("ceiling" in text for text in words(leaderboard_figure(without)))


def test_the_same_findings_give_the_same_bytes(tmp_path, few):
    board = leaderboard((few,))
    first, second = (save(leaderboard_figure(board), tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_text_is_text_in_the_svg(tmp_path, few, many):
    _, svg = save(leaderboard_figure(leaderboard((few, many))), tmp_path / "leaderboard")
    assert "noise ceiling" in " ".join(ElementTree.parse(svg).getroot().itertext())


def test_points_that_lie_together_share_a_number(few):
    first, second, *others = few.retrained
    twin = replace(second, results=first.results)
    texts = words(drawn("tradeoff", replace(few, retrained=(first, twin, *others))))
    assert texts.count("0, 1") == 2
    assert texts.count("2") == 2
    assert "0, 1" not in words(drawn("tradeoff", few))
