"""Which classes lean to which split point, and what two splits on two subsets say."""

import math
from pathlib import Path

import numpy as np
import pytest
from made_conditions import points_of
from made_conditions import trained as result_of

from isplit.importance.curve import Curve
from isplit.studies.classes.findings import _short
from isplit.studies.classes.outcome import (
    Difference,
    difference,
    is_at_chance,
    measured,
    shift,
    verdict,
)
from isplit.studies.classes.proposal import Subset, propose
from isplit.studies.run_folder import Run

LABELS = ["p0", "p1", "p2", "p3", "p4", "p5"]


def curve(**per_class):
    values = [float(sum(column)) for column in zip(*per_class.values(), strict=True)]
    points = points_of([4] * len(values))
    return Curve("cui", points, tuple(values), {n: tuple(v) for n, v in per_class.items()}, 100)


def early(strength):
    """Peaks at points 1 and 3, higher at 1."""
    return (1, 4 * strength, 1, 4, 1, 90)


def late(strength):
    """The same, higher at 3."""
    return (1, 4, 1, 4 * strength, 1, 90)


def test_classes_are_grouped_by_their_highest_peak_and_the_clearest_are_chosen():
    made = propose(
        curve(a=early(2), b=early(4), c=early(3), d=late(5), e=late(2)), classes_per_subset=2
    )
    assert made.splits == (1, 3)
    assert made.peaks == {"a": 1, "b": 1, "c": 1, "d": 3, "e": 3}
    assert made.told(LABELS) == "CUI of 5 classes peaks: 3 at p1, 2 at p3."
    assert made.subsets == (
        Subset(("b", "c"), leans_to=1, at_home=2, prefers=1),
        Subset(("d", "e"), leans_to=3, at_home=2, prefers=3),
    )
    assert made.preference["b"] == pytest.approx(-math.log10(4))
    assert made.preference["d"] == pytest.approx(math.log10(5))


def test_both_subsets_are_as_large_as_the_smaller_group():
    made = propose(curve(a=early(2), b=late(4), c=late(3), d=late(5), e=early(3), f=late(2)))
    assert [subset.classes for subset in made.subsets] == [("a", "e"), ("b", "d")]


def test_a_class_that_peaks_elsewhere_is_in_neither_subset():
    elsewhere = (1, 1, 1, 1, 9, 1)
    made = propose(curve(a=early(2), b=early(3), c=late(2), d=late(3), x=elsewhere))
    assert made.peaks["x"] == 4
    assert made.splits == (1, 3)
    assert "x" not in made.subsets[0].classes + made.subsets[1].classes


def test_the_last_point_is_no_peak_and_a_class_without_one_takes_its_highest_interior_point():
    made = propose(curve(a=early(2), b=late(2), c=(0, 1, 2, 3, 4, 5), d=(9, 8, 7, 6, 5, 4)))
    assert made.peaks == {"a": 1, "b": 3, "c": 4, "d": 1}


def test_where_all_peak_at_one_point_the_classes_are_halved_by_how_much_they_prefer_it():
    """The other point is the peak that comes closest: 3, which is higher than 5 for every class."""
    near = {n: (0, 8, 1, 7 - i, 1, 3, 0) for i, n in enumerate("abcde")}
    made = propose(curve(**near))
    assert made.splits == (1, 3)
    assert [subset.classes for subset in made.subsets] == [("d", "e"), ("a", "b")]
    assert [subset.at_home for subset in made.subsets] == [2, 0]
    assert [subset.prefers for subset in made.subsets] == [1, 1]
    assert "Both subsets prefer p1; they differ only in how much." in made.told(LABELS)


def test_points_can_be_named_and_need_not_be_peaks():
    made = propose(curve(a=early(2), b=early(3), c=late(2), d=late(3)), among=[2, 5])
    assert made.splits == (2, 5)
    assert set(made.peaks.values()) == {5}


def test_a_map_that_is_zero_everywhere_counts_as_little_not_as_nothing():
    made = propose(curve(a=early(2), b=(0, 4, 0, 0, 0, 0), c=late(2), d=(0,) * 6))
    assert made.preference["b"] == pytest.approx(-6)
    assert made.preference["d"] == 0
    assert all(map(math.isfinite, made.preference.values()))


def test_a_net_of_two_points_has_no_peak_to_choose():
    points = points_of([4, 4])
    curve = Curve("cui", points, (1.0, 2.0), dict.fromkeys("abcd", (1.0, 2.0)))
    with pytest.raises(ValueError, match="0 split points could be peaks of a class"):
        propose(curve)


def test_too_few_classes_or_points_are_refused():
    with pytest.raises(ValueError, match="3 classes have a curve: two subsets take 4"):
        propose(curve(a=early(2), b=early(2), c=late(2)))
    one = (1, 4, 1)
    with pytest.raises(ValueError, match="1 split points could be peaks of a class"):
        propose(curve(a=one, b=one, c=one, d=one))


def mcnemar(one, other):
    """The textbook error of a paired difference: b right and c wrong only there."""
    b = sum(x and not y for x, y in zip(one, other, strict=True))
    c = sum(y and not x for x, y in zip(one, other, strict=True))
    n = len(one)
    return (b - c) / n, math.sqrt(b + c - (b - c) ** 2 / n) / n


@pytest.mark.parametrize("seed", range(4))
def test_the_error_of_one_training_is_mcnemars(seed):
    rng = np.random.default_rng(seed)
    hard = rng.random(200)
    one, other = ((hard + 0.2 * rng.random(200) < level).tolist() for level in (0.7, 0.8))
    made = difference([one], [other])
    assert (made.value, made.error) == pytest.approx(mcnemar(one, other))
    p, q = np.mean(one), np.mean(other)
    assert made.binomial_error == pytest.approx(math.sqrt((p * (1 - p) + q * (1 - q)) / 200))
    assert made.error < made.binomial_error


def test_equal_answers_have_no_difference_and_no_error():
    made = difference([[True, False]], [[True, False]])
    assert (made.value, made.error, made.beyond_error) == (0, 0, False)


def test_trainings_that_contradict_each_other_widen_the_error():
    """On the mean no image is answered differently: chance in training is all."""
    right, wrong = [True] * 10, [False] * 10
    made = difference([right, wrong], [wrong, right])
    assert made.value == 0
    assert made.error == pytest.approx(math.sqrt(2) / math.sqrt(2))


def test_repeated_trainings_that_agree_cost_nothing():
    one, other = [True, True, False, True], [True, False, True, False]
    assert difference([one] * 3, [other] * 3).error == difference([one], [other]).error


def run(correct, commonest=0.5):
    """A run that answers so many of 100 test images rightly."""
    right, result = (
        tuple(n < correct for n in range(100)),
        result_of(points_of([4])[0], correct / 100),
    )
    return Run(Path("job"), result, {}, curve(), right, commonest=commonest)


def tried(number, prefers, *correct, commonest=0.5):
    """The row of a subset whose runs at p1 and at p3 answered so many images rightly."""
    about = {"subset": number, "classes": ["a", "b"], "prefers": prefers}
    first, second = ([run(each, commonest)] for each in correct)
    return about | measured(prefers == "p3", first, second)


def test_a_comparison_counts_from_the_preferred_point():
    row = tried(1, "p1", 80, 60)
    assert (row["accuracy_first"], row["accuracy_second"]) == (0.8, 0.6)
    assert row["preferred_minus_other"] == pytest.approx(0.2)
    assert row["error"] == pytest.approx(math.sqrt(0.16) / 10)
    assert row["beyond_error"]
    assert (row["test_images"], row["unsplit"], row["trainings"]) == (100, 0.9, 1)
    assert tried(1, "p3", 80, 60)["preferred_minus_other"] == pytest.approx(-0.2)


def test_repeated_trainings_are_averaged():
    row = measured(False, [run(80), run(70)], [run(60), run(60)])
    assert row["trainings"] == 2
    assert (row["accuracy_first"], row["accuracy_second"]) == pytest.approx((0.75, 0.6))
    assert row["preferred_minus_other"] == pytest.approx(0.15)


def test_the_shift_is_the_second_subset_s_gain_beyond_the_first_s():
    rows = [tried(1, "p1", 80, 60), tried(2, "p3", 60, 70)]
    moved = shift(rows)
    assert moved.value == pytest.approx(0.3)
    for error in ("error", "binomial_error"):
        assert getattr(moved, error) == pytest.approx(math.hypot(*(row[error] for row in rows)))


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (
            (80, 60),
            (60, 80),
            [
                "CUI prefers p1, which did better by 20.0 ± 4.0 points, beyond 2 standard errors",
                "40.0 ± 5.7 points larger in subset 2 than in subset 1, as the curves",
            ],
        ),
        (
            (60, 80),
            (80, 60),
            [
                "CUI prefers p1, which did worse by 20.0 ± 4.0 points, beyond",
                "40.0 ± 5.7 points smaller in subset 2",
                "against what the curves of the classes say",
            ],
        ),
        (
            (80, 80),
            (80, 81),
            [
                "CUI prefers p1, which did neither better nor worse, within 2 standard errors",
                "CUI prefers p3, which did better by 1.0 ± 1.0 points, within",
                "too little to tell whether it is as the curves",
            ],
        ),
    ],
)
def test_the_verdict_follows_from_the_numbers(first, second, words):
    said = verdict([tried(1, "p1", *first), tried(2, "p3", *second)])
    assert [word for word in words if word not in said] == []


def test_where_nothing_was_learned_nothing_is_compared():
    """Of two classes and 100 images, 0.6 is two standard errors above chance, 0.61 more."""
    rows = [tried(1, "p1", 60, 50), tried(2, "p3", 40, 61)]
    said = verdict(rows)
    assert "Subset 1 (2 classes): CUI prefers p1, but both splits are at chance" in said
    assert "Subset 2 (2 classes): CUI prefers p3, which did better by 21.0" in said
    assert "Between the subsets" not in said
    assert shift(rows).beyond_error
    assert _short(shift(rows), rows).startswith("Not to be told")


def test_chance_is_the_commonest_class_of_the_test_images():
    """Of 90 images of one class in 100, 0.96 is two standard errors above it, 0.97 more."""
    rows = [tried(1, "p1", 96, 90, commonest=0.9), tried(2, "p3", 90, 97, commonest=0.9)]
    assert [is_at_chance(row) for row in rows] == [True, False]


def test_twice_the_error_is_not_beyond_it():
    assert not Difference(0.2, 0.1, 0.1).beyond_error
    assert Difference(-0.21, 0.1, 0.1).beyond_error
