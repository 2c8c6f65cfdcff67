"""Bottlenecks of every shape: the size of the code, the shape that comes back, the errors."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from isplit.bottleneck import code_shape, make_bottleneck
from isplit.point import SplitPoint


def point(shape: tuple[int, ...], channels_last: bool = False) -> SplitPoint:
    return SplitPoint(0, "p", shape, "p", 0, 0, 0, channels_last=channels_last)


shapes = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 40), st.integers(1, 17), st.integers(1, 17)),
    st.tuples(st.integers(1, 20), st.integers(1, 40)),
    st.tuples(st.integers(1, 40)),
    st.tuples(st.integers(1, 20), st.integers(1, 4), st.integers(1, 5), st.integers(1, 20)),
)


@settings(max_examples=60, deadline=None)
@given(shapes, st.floats(0.01, 0.99), st.booleans())
def test_output_has_the_shape_of_the_input_and_the_code_its_size(shape, rate, channels_last):
    p = point(shape, channels_last and len(shape) >= 3)
    bottleneck = make_bottleneck(p, rate).eval()
    features = torch.randn(2, *shape)
    code = bottleneck.encoder(features)
    assert code.shape == (2, *bottleneck.code_shape)
    assert bottleneck(features).shape == features.shape
    assert bottleneck.achieved_rate == pytest.approx(1 - code[0].numel() / features[0].numel())


@given(shapes, st.floats(0.01, 0.99))
def test_achieved_rate_is_within_half_a_channel(shape, rate):
    code = code_shape(shape, rate)
    one_channel = math.prod(code) / (code[0] if len(shape) == 3 else code[-1])
    asked = (1 - rate) * math.prod(shape)
    off = abs(math.prod(code) - asked)
    floor_of_one_channel = math.prod(code) == one_channel and asked < one_channel
    assert off <= one_channel / 2 * (1 + 1e-9) or floor_of_one_channel


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ((64, 32, 32), (102, 8, 8)),
        ((512, 7, 7), (627, 2, 2)),
        ((16, 2, 2), (6, 1, 1)),
        ((16, 1, 1), (2, 1, 1)),
        ((50, 192), (50, 19)),
    ],
)
def test_known_code_shapes_at_ninety_percent(shape, code):
    assert code_shape(shape, 0.9) == code


def test_two_stride_two_convolutions_each_way_on_a_map_of_four():
    bottleneck = make_bottleneck(point((8, 4, 4)), 0.5)
    strides = [m.stride for m in bottleneck.modules() if hasattr(m, "stride")]
    assert strides == [(2, 2)] * 4


@pytest.mark.parametrize("rate", [0, 1, -0.5, 1.5, float("nan")])
def test_a_rate_outside_zero_and_one_is_refused(rate):
    with pytest.raises(ValueError, match=r"bottleneck\.compression_rate=.* between 0 and 1"):
        code_shape((8, 4, 4), rate)
