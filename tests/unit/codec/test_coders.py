"""Each coder of levels against its twin and back, for every n, shape and sparsity."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import packed, rans_words, run_lengths

from isplit.codec import PayloadError, ans, bits, contexts, library, rle, symbols
from isplit.codec.calibration import fit_tables
from isplit.codec.form import Form
from isplit.codec.prediction import Prediction, fit_prediction
from isplit.codec.tables import TOTAL, Tables, context_sums

SHAPES = st.lists(st.integers(1, 9), max_size=5).map(tuple)


@st.composite
def cases(draw):
    """Levels (N, C, M) from nearly all zero to none zero, and their form."""
    form = Form(draw(SHAPES), draw(st.integers(1, 8)))
    dice = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (draw(st.integers(1, 3)), *form.plane)
    levels = dice.integers(0, 1 << form.bits, shape).astype(np.uint8)
    zeros = draw(st.sampled_from([0.0, 0.3, 0.9, 0.99, 1.0]))
    levels[dice.random(shape) < zeros] = 0
    return levels, form


def unpacked(coder, bodies, form):
    return np.stack([coder.unpack(body, form) for body in bodies])


@given(cases())
@settings(max_examples=200, deadline=None)
def test_packing_and_run_lengths_are_their_twins_and_come_back(case):
    levels, form = case
    assert bits.pack(levels, form) == [packed(sample, form.bits) for sample in levels]
    assert rle.pack(levels, form) == [run_lengths(sample, form.bits) for sample in levels]
    for coder in (bits, rle):
        np.testing.assert_array_equal(unpacked(coder, coder.pack(levels, form), form), levels)


@given(cases(), st.sampled_from(["sent", "neighbours", "channels"]), st.sampled_from([1, 4]))
@settings(max_examples=300, deadline=None)
def test_ans_is_its_twin_and_comes_back(case, tables, states):
    levels, form = case
    if tables != "sent":
        if tables == "channels":
            form = replace(form, prediction=fit_prediction(levels, form.columns, contexts=5))
        form = replace(form, tables=replace(fit_tables(levels, form), states=states))
        how = form.tables, form.columns, states, form.prediction
        assert ans.pack(levels, form) == [rans_words(x, *how) for x in levels]
    np.testing.assert_array_equal(unpacked(ans, ans.pack(levels, form), form), levels)


def test_channels_that_say_all_of_the_others_are_found_and_leave_nothing_to_send():
    dice = np.random.default_rng(0)
    levels = dice.integers(0, 4, (60, 12, 50)).astype(np.uint8)
    levels[:, 8:] = levels[:, [2, 0, 7, 5]]
    form = Form((12, 5, 10), bits=2)
    found = fit_prediction(levels, form.columns, contexts=16)
    assert found.sources[8:, 0].tolist() == [2, 0, 7, 5]
    assert not found.weights[:4, 2:].any()
    tables = fit_tables(levels, replace(form, prediction=found))
    known = replace(form, tables=tables, prediction=found)
    body = np.mean([len(one) for one in ans.pack(levels, known)])
    assert body == pytest.approx(8 * 50 * 2 / 8, rel=0.05)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"sources": np.full((5, 1), 4, np.uint16)}, "come after what they predict"),
        ({"offsets": np.full(5, 1 << 29, np.int32)}, "not sources, weights and offsets"),
        ({"weights": np.ones((5, 2), np.int16)}, "not sources, weights and offsets"),
    ],
)
def test_a_prediction_that_no_decoder_could_follow_is_refused(what, message):
    right = {"sources": np.zeros((5, 1), np.uint16), "weights": np.zeros((5, 3), np.int16)}
    right |= {"offsets": np.zeros(5, np.int32), "contexts": 3}
    Prediction(**right)
    with pytest.raises(ValueError, match=message):
        Prediction(**right | what)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("columns", [1, 2, 3, 4, 7, 8])
def test_symbols_of_all_channels_at_once_are_those_one_by_one(bits, columns, monkeypatch):
    monkeypatch.setattr(symbols, "_BLOCK", 20)  # some sizes take one block, others several
    dice = np.random.default_rng(0)
    for rows, group in [(1, 1), (2, 2), (3, 2), (3, 3), (4, 4), (5, 4)]:
        group, size = min(group, 8 // bits), rows * columns
        lie, form = (columns, bits, group), Form((7, rows, columns), bits)
        levels = dice.integers(0, 1 << bits, (7, size)).astype(np.uint8)
        sums = np.arange(context_sums(bits, group), dtype=np.uint16)
        (found,) = symbols.symbols_of(levels[None], form, group, sums)
        firsts = range(0, size, group)
        one = [[contexts._symbol_at(x, first, lie, sums) for first in firsts] for x in levels]
        np.testing.assert_array_equal(found, one)


def test_reciprocals_divide_every_state_exactly():
    part = np.arange(1, TOTAL, dtype=np.uint64)
    parts = np.stack([part, TOTAL - part], 1)[:, None].astype(np.uint16)
    entries = Tables(parts, np.zeros(3, np.uint8), bits=1, group=1, states=1).entries[:, 0]
    inverse, shift, most = entries >> 14, np.uint64(45), 1 << 17  # x < part * most, when divided
    for times in (1, 2, 3, most // 3, most // 2 + 1, most - 1, most):  # quotients turn at multiples
        for x in (part * times - 1, part * min(times, most - 1)):
            np.testing.assert_array_equal(x * inverse >> shift, x // part)


def test_four_states_are_the_twin_too():
    form = Form((9, 17, 16), 5)
    levels = np.random.default_rng(0).geometric(0.3, (2, *form.plane)).clip(1, 32) - 1
    levels = levels.astype(np.uint8)
    form = Form(form.shape, form.bits, fit_tables(levels, form))
    assert form.tables.states == 4
    bodies = ans.pack(levels, form)
    assert bodies == [rans_words(x, form.tables, form.columns, 4) for x in levels]
    np.testing.assert_array_equal(unpacked(ans, bodies, form), levels)


@pytest.mark.parametrize("name", library.LIBRARIES)
@given(case=cases())
@settings(max_examples=30, deadline=None)
def test_libraries_come_back(name, case):
    levels, form = case[0], replace(case[1], library=name)
    bodies = library.pack(levels, form)
    np.testing.assert_array_equal(unpacked(library, bodies, form), levels)


@pytest.mark.parametrize("name", library.LIBRARIES)
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[8:]])
def test_libraries_refuse_what_is_not_theirs(name, damage):
    levels = np.arange(200, dtype=np.uint8).reshape(1, 1, 200) % 16
    form = Form((1, 200), 4, library=name)
    body = library.pack(levels, form)[0]
    with pytest.raises(PayloadError, match=rf"{name} (refuses|gives)"):
        library.unpack(damage(body), form)


def test_levels_above_the_bits_are_refused():
    form = Form((1, 9), 4, library="zlib")
    body = library.pack(np.full((1, 1, 9), 16, np.uint8), form)
    with pytest.raises(PayloadError, match="other than 9 levels of 4 bits"):
        library.unpack(body[0], form)


def test_run_that_ends_beyond_the_last_level_is_refused():
    with pytest.raises(PayloadError, match="1 bytes of codewords do not give 3 levels"):
        rle.unpack(bytes([0b11110000]), Form((1, 3), 3))


@pytest.mark.parametrize("body", [b"", b"\1", bytes(6), b"\xff\xff" * 40])
def test_words_that_end_elsewhere_are_refused(body):
    form = Form((4, 8), 2)
    tables = fit_tables(np.zeros((1, 4, 8), np.uint8), form)
    with pytest.raises(PayloadError, match=r"no words of 1 states|do not end where"):
        ans.unpack(body, Form(form.shape, form.bits, tables))


def test_a_table_that_is_no_probabilities_is_refused():
    with pytest.raises(PayloadError, match="the parts of a table are 4 in sum, not 16384"):
        ans.unpack(b"\1\1\1\1" + bytes(8), Form((4, 8), 2))
