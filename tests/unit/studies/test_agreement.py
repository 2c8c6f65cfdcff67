import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_conditions import condition

from isplit.report.findings import as_json
from isplit.studies.agreement.agreement import agreement, predictor_values
from isplit.studies.scores import PredictorScore

DRAWS = 100
EIGHT = [0.80, 0.70, 0.90, 0.60, 0.85, 0.75, 0.88, 0.65]


def score(accuracies, values, **keys) -> PredictorScore:
    return agreement(condition(accuracies, curves={"p": values}, **keys), DRAWS).predictors["p"]


def test_the_values_are_those_of_the_retrained_points_the_measured_ones_last():
    made = condition(
        [0.5, 0.6, 0.7, 0.8], curves={"cui": [4, 3, 2, 1], "size": [0, 0, 1, 1]}, left_untrained=[1]
    )
    values = predictor_values(made)
    assert list(values) == ["cui", "size", "minus_nmse", "after_autoencoder"]
    assert values["cui"] == {0: 4.0, 2: 2.0, 3: 1.0}
    assert values["minus_nmse"] == pytest.approx({0: 0.0, 2: -0.2, 3: -0.3})
    assert values["after_autoencoder"] == pytest.approx({0: 0.5, 2: 0.52, 3: 0.53})


@pytest.mark.parametrize("trained", [0, 2])
def test_fewer_than_three_points_are_refused(trained):
    made = condition([0.5] * 5, left_untrained=range(trained, 5))
    with pytest.raises(ValueError, match=f"small: {trained} of 5 split points.*split.layer=all"):
        agreement(made)


def test_a_perfect_order():
    best = score(EIGHT, EIGHT)
    assert (best.spearman, best.kendall, best.pearson) == pytest.approx((1, 1, 1))
    swapped = math.atanh(1 - 6 * 2 / (8 * 63))  # two neighbours the other way round
    assert best.spearman_ci95 == pytest.approx((math.tanh(swapped - 1.96 * 1.03 / 5**0.5), 1))
    assert best.spearman_given_depth == pytest.approx(1) or math.isnan(best.spearman_given_depth)
    assert (best.regret, best.regret_top3, best.top3_hits) == (0, 0, 3)
    assert best.pick == "features.2"
    assert best.n == 8


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("n", [3, 4, 5, 6, 12])
def test_no_interval_is_without_width(n, order):
    """Three points leave everything open, five in order no longer zero: as the p-values say."""
    found = score([0.5 + i / 40 for i in range(n)], [order * i for i in range(n)])
    for low, high in (found.spearman_ci95, found.kendall_ci95, found.pearson_ci95):
        assert high - low > 0.01
        assert (low, high) == (-1, 1) if n == 3 else order in (low, high)
        assert (low * high > 0) == (n > 4)


def test_the_reverse_order():
    worst = score(EIGHT, [-a for a in EIGHT])
    assert (worst.spearman, worst.kendall) == pytest.approx((-1, -1))
    assert worst.regret == pytest.approx(0.30)
    assert worst.regret_top3 == pytest.approx(0.90 - 0.70)
    assert worst.top3_hits == 0


def test_depth_has_nothing_left_when_depth_is_partialled_out():
    assert math.isnan(score(EIGHT, range(8)).spearman_given_depth)
    assert not math.isnan(score(EIGHT, EIGHT[::-1]).spearman_given_depth)


def test_a_constant_predictor_has_no_correlation_and_picks_the_deepest():
    flat = score(EIGHT, [2.0] * 8)
    for number in (flat.spearman, *flat.spearman_ci95, flat.spearman_p, flat.kendall, flat.pearson):
        assert math.isnan(number)
    assert (flat.pick, flat.regret) == ("features.7", pytest.approx(0.25))


def test_equal_accuracies_leave_nothing_to_agree_with():
    flat = score([0.8] * 6, range(6))
    assert math.isnan(flat.spearman)
    assert (flat.regret, flat.top3_hits) == (0, 3)


def test_a_pick_among_equal_values_is_the_deeper_point_and_one_that_was_trained():
    made = condition([0.1, 0.2, 0.3, 0.4], curves={"p": [1, 5, 5, 9]}, left_untrained=[3])
    only = agreement(made, DRAWS).predictors["p"]
    assert (only.pick, only.n) == ("features.2", 3)


def test_missing_values_are_left_out_and_counted():
    values = list(EIGHT)
    values[2], values[5] = math.nan, math.inf
    some = score(EIGHT, values)
    assert some.n == 6
    assert some.spearman == pytest.approx(1)
    assert some.regret == pytest.approx(0.02)  # the best of all is not among those it knows


def test_a_predictor_without_values():
    nothing = score(EIGHT, [math.nan] * 8)
    assert (nothing.n, nothing.pick, nothing.top3_hits) == (0, "", 0)
    assert math.isnan(nothing.regret)
    assert math.isnan(nothing.spearman)
    assert nothing.spearman_equal_size is None


def test_layers_of_equal_size_are_compared_among_themselves():
    # four of one size in perfect order, three in reverse order, one alone
    accuracies = [0.1, 0.2, 0.3, 0.4, 0.9, 0.8, 0.7, 0.5]
    sizes = [4, 4, 4, 4, 8, 8, 8, 2]
    assert score(accuracies, range(8), sizes=sizes).spearman_equal_size == pytest.approx(1 / 7)
    constant_in_one = [5, 5, 5, 5, 1, 2, 3, 4]
    assert score(accuracies, constant_in_one, sizes=sizes).spearman_equal_size == pytest.approx(-1)
    assert math.isnan(score(accuracies, sizes, sizes=sizes).spearman_equal_size)
    assert score(accuracies, range(8), sizes=range(1, 9)).spearman_equal_size is None


def test_with_repeats_the_mean_accuracy_counts_and_single_trainings_stand_beside():
    pairs = [[0.1, 0.5], [0.2, 0.2], [0.3, 0.4], [0.6, 0.4]]
    made = score(pairs, range(4))
    means = [0.3, 0.2, 0.35, 0.5]
    assert made.spearman == pytest.approx(score(means, range(4)).spearman)
    each = [score([p[t] for p in pairs], range(4)).spearman for t in (0, 1)]
    assert made.spearman_one_training == pytest.approx(sum(each) / 2)


def top_by_hand(accuracies, values):
    """Regret of one and of three, and hits, without any sorting key in common."""
    order = []
    left = set(range(len(values)))
    while left:
        best = max(values[p] for p in left)
        deepest = max(p for p in left if values[p] == best)
        order.append(deepest)
        left.remove(deepest)
    top = [accuracies[p] for p in order[:3]]
    third = sorted(accuracies)[-3]
    return max(accuracies) - top[0], max(accuracies) - max(top), sum(a >= third for a in top)


@given(
    st.lists(
        st.tuples(st.integers(0, 5).map(lambda k: k / 10), st.integers(0, 3)),
        min_size=3,
        max_size=8,
    )
)
def test_regret_and_hits_equal_those_by_hand(pairs):
    accuracies, values = [a for a, _ in pairs], [float(v) for _, v in pairs]
    made = agreement(condition(accuracies, curves={"p": values}), 10).predictors["p"]
    assert (made.regret, made.regret_top3, made.top3_hits) == top_by_hand(accuracies, values)


def test_all_predictors_see_the_same_chance_and_another_seed_another():
    made = condition(EIGHT, curves={"a": EIGHT[::-1], "b": [2 * v for v in EIGHT[::-1]]})
    found = agreement(made, DRAWS).predictors
    assert found["a"].spearman_ci95 == found["b"].spearman_ci95
    assert agreement(made, DRAWS) == agreement(made, DRAWS)
    other = agreement(made, DRAWS, seed=1).predictors
    assert found["a"].spearman_ci95 != other["a"].spearman_ci95


def test_a_training_of_equal_accuracies_is_none_of_the_single_ones():
    trainings = [[0.8, 0.7], [0.81, 0.7], [0.83, 0.7], [0.82, 0.7]]
    score = agreement(condition(trainings)).predictors["cui"]
    assert score.spearman_one_training == pytest.approx(0.8)


def test_json_has_the_agreed_layout_and_null_for_nan():
    made = condition(EIGHT, curves={"cui": EIGHT[::-1], "size": [1.0] * 8})
    written = json.loads(json.dumps(as_json(agreement(made, DRAWS)), allow_nan=False))
    assert list(written) == ["n", "predictors", "noise", "verdict", "half"]
    assert written["n"] == 8
    cui = written["predictors"]["cui"]
    assert {"spearman", "spearman_ci95", "kendall", "pearson", "regret"} <= set(cui)
    low, high = cui["spearman_ci95"]
    assert low <= cui["spearman"] <= high
    size = written["predictors"]["size"]
    assert (size["spearman"], size["spearman_ci95"]) == (None, [None, None])
    assert set(cui) == {f.name for f in dataclasses.fields(PredictorScore)}


def test_the_order_of_the_points_does_not_matter():
    made = condition(EIGHT, curves={"cui": EIGHT[::-1]})
    turned = dataclasses.replace(made, retrained=made.retrained[::-1])
    a, b = (agreement(c, DRAWS).predictors["cui"] for c in (made, turned))
    assert (a.spearman, a.kendall, a.pearson, a.pick) == pytest.approx(
        (b.spearman, b.kendall, b.pearson, b.pick)
    )


def test_equal_means_of_trainings_are_tied():
    made = condition([[0.1, 0.5], [0.2, 0.4], 0.7])
    assert made.retrained[0].accuracy == made.retrained[1].accuracy == 0.3


def test_auto_takes_the_highest_peak_of_the_trained_points():
    rising = [0.1, 0.9, 0.2, 0.5, 0.3, 1.0]  # highest at the end, peaks at 1 and 3

    def of_cui(accuracies, **keys):
        made = condition(accuracies, curves={"cui": rising}, **keys)
        return agreement(made, DRAWS).predictors["cui"]

    found = of_cui([0.5, 0.6, 0.7, 0.9, 0.8, 0.4])
    assert (found.pick, found.regret) == ("features.5", pytest.approx(0.5))
    assert (found.auto, found.auto_regret) == ("features.1", pytest.approx(0.3))
    partly = of_cui([0.5, 0.6, 0.7, 0.9, 0.8, 0.4], left_untrained=[1])
    assert (partly.auto, partly.auto_regret) == ("features.3", 0)


def test_auto_takes_the_highest_value_of_predictors_that_are_recommended_with_it():
    rising = [0.1, 0.9, 0.2, 0.5, 0.3, 1.0]
    accuracies = [0.5, 0.6, 0.7, 0.9, 0.8, 0.4]
    curves = {"probe": rising, "random:probe": rising, "cui(channels=sum)": rising}
    made = agreement(condition(accuracies, curves=curves), DRAWS)
    found = {name: (s.auto, s.rule) for name, s in made.predictors.items()}
    assert found["probe"] == found["random:probe"] == ("features.5", "highest value")
    assert found["cui(channels=sum)"] == ("features.1", "highest interior peak")


def test_what_has_no_curve_takes_its_highest_value():
    made = agreement(condition([0.5, 0.6, 0.7], nmse={0: 0.3, 1: 0.2, 2: 0.1}), DRAWS)
    found = made.predictors["minus_nmse"]
    assert (found.auto, found.auto_regret) == (found.pick, found.regret) == ("features.2", 0)
