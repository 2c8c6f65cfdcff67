from dataclasses import replace

import pytest

from isplit.importance import PREDICTORS
from isplit.importance.curve import Curve
from isplit.importance.select import RULES, Limits, auto_rule, is_rule, select
from isplit.point import SplitPoint, same_code

SIZES = [64, 32, 64, 32, 16, 16]


def points(sizes=SIZES):
    return tuple(
        SplitPoint(
            i, f"features.{i}", (size, 4, 4), f"n{i}", 100 * (i + 1), 0, 10 * i, (f"layer{i}",)
        )
        for i, size in enumerate(sizes)
    )


def curve(*values, marked=None):
    return Curve("cui", points()[: len(values)], values, marked=marked)


def chosen(of, layer, **limits):
    return [point.index for point in select(of, layer, Limits(**limits))]


TWO_PEAKS = curve(9, 5, 7, 4, 6, 8)  # peaks at 2; 4 rises on; both ends are higher
NO_PEAK = curve(1, 2, 3, 4, 5, 6)
EQUAL = curve(1, 5, 2, 5, 2, 1)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("features.3", [3]),
        ("layer3", [3]),
        (3, [3]),
        ("3", [3]),
        ("all", [0, 1, 2, 3, 4, 5]),
        ("auto", [2]),
        ("peak", [2]),
        ("best", [0]),
        ("peaks", [2]),
        ("top:1", [0]),
        ("top:3", [0, 2, 5]),
        ("top:99", [0, 1, 2, 3, 4, 5]),
        ([4, "auto", "layer4", 0], [0, 2, 4]),
    ],
)
def test_layer_is_a_name_an_alias_an_index_a_word_or_a_list(layer, expected):
    assert chosen(TWO_PEAKS, layer) == expected


def test_auto_without_a_peak_is_the_highest_interior_point():
    assert chosen(NO_PEAK, "auto") == [4]
    assert chosen(NO_PEAK, "peaks") == [4]


def test_auto_takes_an_end_only_when_nothing_else_is_admissible():
    assert chosen(NO_PEAK, "auto", min_depth=5) == [5]
    assert chosen(TWO_PEAKS, "auto", max_depth=1) == [1]
    assert chosen(TWO_PEAKS, "auto", max_depth=0) == [0]


@pytest.mark.parametrize("kind", PREDICTORS)
def test_auto_is_the_rule_that_the_predictor_is_recommended_with(kind):
    of = replace(TWO_PEAKS, kind=kind)
    assert auto_rule(kind) == ("peak" if kind in ("cui", "gradient", "cde") else "best")
    for limits in ({}, {"min_depth": 3}, {"max_depth": 4, "min_depth": 1}):
        assert chosen(of, "auto", **limits) == chosen(of, auto_rule(kind), **limits)


def test_best_and_top_choose_among_the_admissible():
    assert chosen(TWO_PEAKS, "best", min_depth=1, max_depth=4) == [2]
    assert chosen(TWO_PEAKS, "top:2", min_depth=1, max_depth=4) == [2, 4]
    assert chosen(EQUAL, "best") == [3]  # of equal values the deeper
    assert chosen(EQUAL, "top:1") == [3]


@pytest.mark.parametrize("word", ["top:0", "top:", "top:-1", "top:1.5", "top", "Best", "highest"])
def test_other_words_are_no_rules(word):
    assert not is_rule(word)
    with pytest.raises(ValueError, match=f"'{word}' is neither {', '.join(RULES)}, top:3 nor"):
        chosen(TWO_PEAKS, word)


def test_of_equal_peaks_the_deeper_is_chosen():
    assert chosen(EQUAL, "auto") == [3]
    assert chosen(EQUAL, "peaks") == [1, 3]


def test_a_limit_takes_a_peak_off_but_makes_none():
    # with point 3 gone, 4 is no peak: the curve still rises from 4 to 3
    assert chosen(EQUAL, "peaks", max_head_macs=300) == [1]
    assert chosen(EQUAL, "auto", max_head_macs=300) == [1]
    assert chosen(curve(1, 5, 4, 3, 2, 1), "auto", min_depth=2) == [2]


def test_cde_takes_the_smallest_marked_point_the_deeper_of_equals():
    sizes = curve(-4, -3, -4, -3, -2, -2, marked=(1, 3))
    assert chosen(sizes, "auto") == [3]
    assert chosen(sizes, "peaks") == [1, 3]
    assert chosen(curve(-4, -3, -4, -1, marked=(1, 3)), "auto") == [1]  # 3 is the last point


@pytest.mark.parametrize(
    ("limit", "admitted"),
    [
        ({"max_head_macs": 200}, [0, 1]),
        ({"max_head_params": 20}, [0, 1, 2]),
        ({"max_feature_bytes": 32 * 16 * 4}, [1, 3, 4, 5]),
        ({"max_code_bytes": 26 * 4}, [4, 5]),
        ({"min_depth": 4}, [4, 5]),
        ({"max_depth": 1}, [0, 1]),
        ({"min_depth": 1, "max_head_params": 20}, [1, 2]),
    ],
)
def test_limits_admit_what_keeps_to_all_of_them(limit, admitted):
    # a code of 16 channels on a 4x4 map at rate 0.9 has 26 elements on a 1x1 map
    assert chosen(TWO_PEAKS, "all", **limit) == admitted


def test_a_named_point_outside_a_limit_is_refused_with_the_numbers():
    message = r"split.layer='layer5' is excluded: split.max_head_macs=500 but it has 600"
    with pytest.raises(ValueError, match=message):
        chosen(TWO_PEAKS, "layer5", max_head_macs=500)


def test_points_that_are_not_compressed_are_not_chosen():
    # features of 64, 32, 64, 32, 16 and 16 maps of 4 x 4
    rate_of = same_code(16 * 16)
    assert [p.index for p in select(NO_PEAK, "all", rate_of=rate_of)] == [0, 1, 2, 3]
    assert [p.index for p in select(NO_PEAK, "auto", rate_of=rate_of)] == [3]
    message = (
        r"split\.layer=5 is excluded: bottleneck\.code_elements=256 compresses nothing at layer5"
    )
    with pytest.raises(ValueError, match=message):
        select(NO_PEAK, 5, rate_of=rate_of)


def test_nothing_left_says_which_limit_excluded_which_point():
    with pytest.raises(ValueError, match="the limits leave no split point") as error:
        chosen(TWO_PEAKS, "all", max_head_macs=300, min_depth=4)
    lines = str(error.value).splitlines()
    assert len(lines) == 1 + len(SIZES)
    assert lines[1] == "  layer0: split.min_depth=4 but it has 0"
    assert (
        lines[4]
        == "  layer3: split.max_head_macs=300 but it has 400, split.min_depth=4 but it has 3"
    )


@pytest.mark.parametrize("layer", ["conv9", 6, -1, ["auto", "conv9"]])
def test_an_unknown_layer_lists_names_and_aliases(layer):
    unknown = layer[-1] if isinstance(layer, list) else layer
    message = (
        rf"split.layer={unknown!r} is neither {', '.join(RULES)}, top:3 nor a split point of this "
        r"model \(index 0\.\.5 or name\): features.0 \(layer0\), features.1 \(layer1\)"
    )
    with pytest.raises(ValueError, match=message):
        chosen(TWO_PEAKS, layer)
