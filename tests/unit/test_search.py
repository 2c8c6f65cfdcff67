"""What a search expects of points, and which it trains next."""

import json
import math
from statistics import NormalDist
from types import SimpleNamespace

import numpy as np
import pytest

from isplit.runs.search import WORTH, Search, expected_win, next_fitting, next_point
from isplit.search import FILE, Expectation, constants_of, doubt, expectations

VALUES = (-1.0, -0.3, -0.1, -0.01)
KINDS = tuple(json.loads(FILE.read_text(encoding="utf-8"))["predictors"])


def expected(measured=None, values=VALUES, kind="probe", baseline=0.9, images=2000):
    return expectations(kind, values, baseline, images, measured or {})


def point(accuracy, deviation=0.0, measured=None):
    return Expectation(accuracy, 0.0, 1.0, deviation, measured)


@pytest.mark.parametrize("kind", KINDS)
def test_a_higher_value_is_expected_to_be_more_accurate(kind):
    found = [of.accuracy for of in expected(kind=kind)]
    assert found == sorted(found)
    assert all(of.low < of.accuracy < of.high for of in expected(kind=kind))


def test_what_was_measured_moves_the_others_and_narrows_them():
    before = expected()
    poor, good = expected({3: 0.80}), expected({3: 0.92})
    for p in range(3):
        assert poor[p].accuracy < before[p].accuracy < good[p].accuracy
        assert good[p].deviation <= before[p].deviation * 1.1
    assert poor[3].measured == 0.80
    assert 0.80 < poor[3].accuracy < before[3].accuracy  # pulled back towards what was expected


def test_the_order_of_the_trainings_does_not_matter():
    one, other = expected({1: 0.85, 3: 0.88}), expected({3: 0.88, 1: 0.85})
    assert [of.accuracy for of in one] == pytest.approx([of.accuracy for of in other])


@pytest.mark.parametrize("baseline", [0.0, 1.0])
@pytest.mark.parametrize("measured", [{}, {0: 0.0, 1: 1.0}])
def test_accuracies_at_the_ends_stay_finite_and_inside(baseline, measured):
    for of in expected(measured, baseline=baseline, images=10):
        assert 0 <= of.low <= of.accuracy <= of.high <= 1
        assert math.isfinite(of.deviation)


def test_equal_ranks_go_to_the_deeper_point_where_there_is_no_divergence():
    found = expected(kind="cui", values=(-5.0, -5.0, -5.0))
    assert next_point(found, range(3)) == 2


def test_values_that_are_not_finite_and_unknown_predictors_are_refused():
    with pytest.raises(ValueError, match=r"split\.kind=probe: it has no value at some points"):
        expected(values=(-1.0, math.nan))
    with pytest.raises(ValueError, match=r"split\.kind='luck': a search knows .*probe"):
        constants_of("luck")


def test_first_comes_the_highest_expectation_among_the_candidates():
    assert next_point(expected(), range(4)) == 3
    assert next_point(expected(), [0, 1]) == 1


def test_it_stops_when_nothing_is_left_or_nothing_may_win():
    assert next_point([point(0.9, measured=0.9)], [0]) is None
    sure = [point(0.9, measured=0.9), point(0.5, 0.01)]
    assert next_point(sure, [0, 1]) is None
    assert next_point([sure[0], point(0.89, 0.05)], [0, 1]) == 1
    assert next_point([sure[0], point(0.9 + 2 * WORTH)], [0, 1]) == 1


def test_the_expected_win_is_the_mean_of_what_lies_above():
    drawn = np.random.default_rng(0).normal(0.88, 0.03, 400_000)
    wins = np.maximum(drawn - 0.9, 0).mean()
    assert expected_win(point(0.88, 0.03), 0.9) == pytest.approx(wins, rel=0.02)


def test_the_constants_say_what_they_were_fitted_on():
    said = json.loads(FILE.read_text(encoding="utf-8"))["fitted_on"]
    assert said["conditions"] == 25
    assert {"nets", "data", "codes", "recipe", "command"} <= set(said)


COSTS = {0: 10.0, 1: 20.0, 2: 40.0}


def test_before_a_split_fits_what_is_likely_comes_before_what_is_cheap():
    found = [point(0.80, 0.01), point(0.86, 0.01), point(0.87, 0.01)]
    asked = 0.85
    saved = {p: (1 - chance_below(found[p], asked)) * (80 - COSTS[p]) for p in COSTS}
    assert next_fitting(found, COSTS, asked) == max(saved, key=saved.get) == 1


def test_when_a_split_fits_only_cheaper_ones_may_save():
    found = [point(0.84, 0.01), point(0.86, 0.0, measured=0.86), point(0.99, 0.0)]
    assert next_fitting(found, COSTS, 0.85) == 0
    found[0] = point(0.80, 0.001)
    assert next_fitting(found, COSTS, 0.85) is None
    dear_fits = [found[0], point(0.86, 0.0, measured=0.80), point(0.99, 0.0, measured=0.9)]
    assert next_fitting(dear_fits, COSTS, 0.85) is None


def test_an_accuracy_that_no_split_is_expected_to_reach_is_said(monkeypatch):
    found = [point(0.80, 0.001), point(0.86, 0.001)]
    monkeypatch.setattr(Search, "expected", lambda *_: found)
    points = [SimpleNamespace(index=0), SimpleNamespace(index=1)]
    search = Search(None, None, 3, points, 0.94, {0: 10.0, 1: 20.0})
    message = r"requirement\.accuracy=0\.94: none is expected to reach it, at most 0\.860"
    with pytest.raises(ValueError, match=message):
        next(search.points([]))


def test_frames_per_second_are_negative_costs():
    found = [point(0.9, 0.0), point(0.9, 0.0)]
    assert next_fitting(found, {0: -30.0, 1: -60.0}, 0.85) == 1


def chance_below(of, asked):
    return NormalDist(of.accuracy, of.deviation).cdf(asked)


@pytest.mark.parametrize(("accuracy", "doubted"), [(0.85, True), (0.90, False)])
def test_a_training_is_held_against_what_was_expected_before_it(accuracy, doubted):
    values = [-0.3, -0.2, -0.1, -0.05, -0.02]
    before = expectations("probe", values, 0.92, 2000, {})[3]
    assert (before.low <= accuracy <= before.high) is not doubted
    found = expectations("probe", values, 0.92, 2000, {3: accuracy})
    assert found[3].surprising is doubted
    assert bool(doubt(found)) is doubted


def test_one_training_among_others_is_held_against_those():
    values = [-0.3, -0.2, -0.1, -0.05, -0.02]
    measured = {0: 0.80, 2: 0.88, 4: 0.70}
    others = expectations("probe", values, 0.92, 2000, {0: 0.80, 2: 0.88})[4]
    assert measured[4] < others.low
    assert expectations("probe", values, 0.92, 2000, measured)[4].surprising
