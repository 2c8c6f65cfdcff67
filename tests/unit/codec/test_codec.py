"""What every codec promises: a payload a sample, the same features back, both forms, errors."""

import base64
import hashlib
import json
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from isplit.codec import (
    CODECS,
    PayloadError,
    bound_codec,
    calibrate,
    from_config,
    load_profile,
)
from isplit.codec.form import DELTAS
from isplit.codec.grid import find_ranges
from isplit.codec.payload import parsed, sealed, unsealed

QUANTISED = [name for name in CODECS if name not in ("plain", "jpeg")]
ANY_SHAPE = st.lists(st.integers(0, 6), max_size=5).map(tuple)


def relu_features(*shape, seed=0):
    dice = np.random.default_rng(seed)
    return np.maximum(dice.normal(size=shape), 0).astype(np.float32)


def both(config, calibration):
    """The codec in both forms."""
    codec = from_config(config)
    return codec, bound_codec(calibrate(codec, calibration))


@pytest.mark.parametrize("name", CODECS)
def test_config_rebuilds_the_codec(name):
    codec = from_config({"name": name})
    assert from_config(codec.get_config()) == codec
    assert codec.get_config()["name"] == name


@pytest.mark.parametrize("name", QUANTISED)
@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("per", ["tensor", "channel"])
def test_every_level_lies_within_half_a_step(name, bits, per):
    features = relu_features(3, 4, 6, 5) - (0.5 if bits % 2 else 0)
    codec, bound = both({"name": name, "bits": bits, "per": per}, features)
    axes = (1, 2, 3) if per == "tensor" else (2, 3)
    for each, of in ((codec, axes), (bound, (0, *axes))):
        decoded = each.decode(each.encode(features))
        low = np.minimum(features.min(of, keepdims=True), 0 if each is bound else np.inf)
        step = (features.max(of, keepdims=True) - low) / (2**bits - 1)
        assert (np.abs(decoded - features) <= step / 2 * 1.0001).all()
        assert decoded.dtype == np.float32


@given(ANY_SHAPE, st.sampled_from(QUANTISED), st.integers(1, 8), st.sampled_from([0.0, 0.9, 1.0]))
@settings(max_examples=150, deadline=None)
def test_any_shape_comes_back_on_its_levels(shape, name, bits, zeros):
    features = relu_features(2, *shape)
    features[np.random.default_rng(1).random(features.shape) < zeros] = 0
    codec = from_config({"name": name, "bits": bits})
    expected = from_config({"name": "quantize", "bits": bits})
    payloads = codec.encode(features)
    decoded = codec.decode(payloads)
    plain = expected.encode(features)
    np.testing.assert_array_equal(decoded, expected.decode(plain))
    assert decoded.shape == features.shape
    for payload, packed in zip(payloads, plain, strict=True):
        count = int(np.prod(shape))
        assert len(payload) <= len(packed) <= (count * bits + 7) // 8 + 32
        np.testing.assert_array_equal(codec.decode(codec.encode(decoded)), codec.decode(payloads))
    if features.size:
        bound = bound_codec(calibrate(codec, features))
        sent = bound.encode(features)
        assert all(len(payload) <= (count * bits + 7) // 8 + 8 for payload in sent)
        assert bound.decode(sent).shape == features.shape


@pytest.mark.parametrize("delta", ["rows", "columns", "channels"])
@pytest.mark.parametrize("name", ["quantize", "rle", "ans"])
def test_differences_change_no_feature(name, delta):
    features = relu_features(2, 3, 4, 5)
    expected = from_config({"name": name}).decode(from_config({"name": name}).encode(features))
    for codec in both({"name": name, "delta": delta}, features)[:1]:
        np.testing.assert_array_equal(codec.decode(codec.encode(features)), expected)


def test_differences_of_a_ramp_are_one_symbol():
    ramp = np.arange(16, dtype=np.float32) * np.ones((1, 8, 16, 1), np.float32)
    flat, changes = (
        from_config({"name": "rle", "bits": 4, "delta": delta}).encode(ramp.swapaxes(2, 3))[0]
        for delta in ("none", "channels")
    )
    assert len(changes) < len(flat)


def test_clip_is_never_worse_than_minmax():
    features = relu_features(2, 4, 8, 8)
    features[:, :, 0, 0] = 6
    for bits in range(1, 9):
        errors = {}
        for how in ("minmax", "clip"):
            codec = from_config({"name": "quantize", "bits": bits, "range": how})
            errors[how] = np.square(codec.decode(codec.encode(features)) - features).sum((1, 2, 3))
        assert (errors["clip"] <= errors["minmax"]).all()
        assert bits > 3 or (errors["clip"] < errors["minmax"]).any()


@pytest.mark.parametrize("shape", [(256, 64, 8, 8), (256, 32, 14, 14), (512, 128, 4, 4)])
def test_clip_looks_at_every_place_of_a_map(shape):
    """Of large features it looks at some: not at one corner, which padding makes smaller."""
    features = np.maximum(np.random.default_rng(0).normal(size=shape), 0).astype(np.float32)
    features[..., 0, 0] *= 0.3
    flat = features.reshape(*shape[:2], -1)
    _, high = find_ranges(flat, 4, "tensor", "clip")
    errors = {}
    for top in (float(high[0]), *(flat.max() * np.linspace(1, 0.2, 17))):
        step = top / 15
        errors[top] = np.square(np.clip(np.rint(flat / step), 0, 15) * step - flat).mean()
    assert errors[float(high[0])] <= 1.03 * min(errors.values())


def test_zeros_of_a_relu_stay_zero_beyond_the_calibration():
    calibration = relu_features(4, 3, 5) + 1
    bound = both({"name": "ans", "per": "channel"}, calibration)[1]
    assert not bound.decode(bound.encode(np.zeros((1, 3, 5)))).any()


@pytest.mark.parametrize("name", CODECS)
def test_overhead(name):
    images = (relu_features(1, 3, 32, 32) * 50).astype(np.uint8)
    codec, bound = both({"name": name}, images)
    if name == "jpeg":
        body = len(codec._pack(images)[0][1])
    elif name == "plain":
        body = 4 * images.size
    else:
        body = images.size // 2
    assert len(codec.encode(images)[0]) <= body + 32
    assert len(bound.encode(images)[0]) <= body + 8


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_plain_is_what_torch_rounds_to(dtype):
    features = torch.randn(2, 3, 4) * 100
    codec = from_config({"name": "plain", "dtype": dtype})
    expected = features.to(getattr(torch, dtype)).float()
    np.testing.assert_array_equal(codec.decode(codec.encode(features)), expected)
    assert len(codec.encode(features)[0]) <= 12 * expected.element_size() + 32 * 2


INPUTS = {
    "not contiguous": lambda x: np.asfortranarray(x)[:, ::-1],
    "float64": lambda x: x[:, ::-1].astype(np.float64),
    "torch": lambda x: torch.from_numpy(x[:, ::-1].copy()),
    "requires grad": lambda x: torch.from_numpy(x[:, ::-1].copy()).requires_grad_(),
    "lists": lambda x: x[:, ::-1].tolist(),
}


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("name", ["plain", "ans"])
def test_inputs_of_any_kind_give_the_same_payload(name, kind):
    features = relu_features(2, 3, 4, 5)
    codec = from_config({"name": name})
    assert codec.encode(INPUTS[kind](features)) == codec.encode(features[:, ::-1].copy())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_inputs_are_coded_as_float32(dtype):
    features = torch.randn(2, 3, 4, 5).to(dtype)
    codec = from_config({"name": "ans", "bits": 8})
    assert codec.encode(features) == codec.encode(features.float())


@pytest.mark.parametrize("bits", [1, 4])
@pytest.mark.parametrize("name", ["quantize", "rle", "ans"])
def test_a_batch_is_its_samples_one_by_one(name, bits):
    features = np.maximum(np.random.default_rng(0).normal(size=(9, 3, 128, 100)), 0)
    codec = from_config({"name": name, "bits": bits})
    codec = codec.bound(calibrate(codec, features[:2]))
    assert codec.encode(features) == [codec.encode(one[None])[0] for one in features]


@pytest.mark.parametrize("value", [0.0, -3.5, 1e-45, 3e38])
@pytest.mark.parametrize("name", QUANTISED)
def test_constant_features_come_back_exactly(name, value):
    features = np.full((2, 3, 4), value, np.float32)
    codec = from_config({"name": name, "bits": 3})
    np.testing.assert_array_equal(codec.decode(codec.encode(features)), features)


def test_no_samples_give_no_payloads():
    assert from_config({"name": "ans"}).encode(np.zeros((0, 3, 4))) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["plain", "rle"])
def test_features_that_are_no_numbers_are_refused(name, bad):
    features = relu_features(2, 3, 4)
    codec, bound = both({"name": name}, features)
    features[1, 2, 3] = bad
    for each in (codec, bound):
        with pytest.raises(ValueError, match="features hold NaN"):
            each.encode(features)
    with pytest.raises(ValueError, match="features hold NaN"):
        bound_codec(calibrate(codec, features)).encode(features)


@pytest.mark.parametrize("kind", [complex, object, str])
def test_features_that_are_not_real_are_refused(kind):
    """Their real parts alone would be sent."""
    odd = np.ones((2, 3)).astype(kind)
    for codec in both({"name": "rle"}, np.ones((2, 3))):
        with pytest.raises(ValueError, match="are not real numbers"):
            codec.encode(odd)
    with pytest.raises(ValueError, match=r"features of type .* are not real numbers"):
        calibrate(from_config({"name": "plain"}), odd)


def test_values_too_far_apart_are_refused():
    with pytest.raises(ValueError, match="too far apart for float32"):
        from_config({"name": "rle"}).encode(np.array([[-3e38, 3e38]], np.float32))
    for dtype, value in (("float16", 7e4), ("bfloat16", 3.4e38), ("float32", 1e39)):
        with pytest.raises(ValueError, match=f"too large for {dtype}"):
            from_config({"name": "plain", "dtype": dtype}).encode(np.full((1, 2), value))


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFC000, 0x7F800001])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_every_nan_is_refused(dtype, bits):
    odd = np.array([[1, bits]], np.uint32).view(np.float32)
    with pytest.raises(ValueError, match="features hold NaN"):
        from_config({"name": "plain", "dtype": dtype}).encode(odd)


MISTAKES = {
    "is none of: plain, quantize": {"name": "gzip"},
    "codec=rle has no quality; it has: bits": {"name": "rle", "quality": 3},
    "codec.bits=9 is no whole number from 1 to 8": {"name": "ans", "bits": 9},
    "codec.bits='4' is no whole number from 1 to 8": {"name": "ans", "bits": "4"},
    "codec.bits=4.0 is no whole number from 1 to 8": {"name": "rle", "bits": 4.0},
    "codec.effort=10 is no whole number from 0 to 9": {"name": "zlib", "effort": 10},
    "codec.effort=-1 is no whole number from 0 to 12": {"name": "pcodec", "effort": -1},
    "codec.per='row' is none of: tensor, channel": {"name": "ans", "per": "row"},
    "codec.range='auto' is none of: minmax, clip, rate": {"name": "ans", "range": "auto"},
    "codec.delta='x' is none of: none, rows": {"name": "ans", "delta": "x"},
    "codec.dtype='float8' is none of: float32": {"name": "plain", "dtype": "float8"},
    "codec.quality=99 is no whole number from 1 to 95": {"name": "jpeg", "quality": 99},
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes_in_the_description(message):
    with pytest.raises(ValueError, match=message):
        from_config(MISTAKES[message])


def test_wrong_batches_are_refused():
    codec, bound = both({"name": "rle"}, relu_features(2, 3, 4))
    with pytest.raises(ValueError, match=r"a single sample x is x\[None\]"):
        codec.encode(3.0)
    with pytest.raises(PayloadError, match=r"a single payload p is \[p\]"):
        codec.decode(codec.encode(relu_features(1, 3, 4))[0])
    with pytest.raises(ValueError, match="over 6 axes"):
        codec.encode(np.zeros((1,) * 8))
    with pytest.raises(ValueError, match=r"shape \(4, 3\) where the profile has \(3, 4\)"):
        bound.encode(relu_features(1, 4, 3))
    with pytest.raises(ValueError, match=r"codec.delta=rows needs samples of 3 dimensions"):
        from_config({"name": "rle", "delta": "rows"}).encode(relu_features(2, 3, 4))
    with pytest.raises(ValueError, match=r"codec=jpeg takes images uint8 \(N, 1 or 3, H, W\)"):
        from_config({"name": "jpeg"}).encode(relu_features(2, 3, 4, 4))
    with pytest.raises(ValueError, match="hold no samples"):
        calibrate(codec, np.zeros((0, 3)))
    with pytest.raises(PayloadError, match="of one shape, and at least one"):
        codec.decode([])
    with pytest.raises(PayloadError, match="of one shape, and at least one"):
        codec.decode(codec.encode(np.zeros((1, 2))) + codec.encode(np.zeros((1, 3))))


@pytest.mark.parametrize("shape", [(0, *(70000,) * 5), (*(70000,) * 5, 0), (2**27,)])
def test_shapes_that_are_too_large_are_refused_unopened(shape):
    codec = from_config({"name": "rle"})
    payload = sealed(codec._header(shape).to_bytes(8), bytes(8))
    with pytest.raises(PayloadError, match="is above the limit of 268435456 bytes"):
        codec.decode([payload])
    features = relu_features(2, 8, 32)
    for each in both({"name": "rle"}, features):
        payloads = each.encode(features)
        assert len(each.decode(payloads, limit_bytes=1024)) == 2
        with pytest.raises(PayloadError, match=r"of shape \(8, 32\) is above the limit of 1023"):
            each.decode(payloads, limit_bytes=1023)


@pytest.mark.parametrize(
    ("delta", "shape"), [("rows", (2, 3)), ("columns", (5,)), ("channels", ())]
)
def test_a_payload_without_the_axis_of_its_differences_is_refused(delta, shape):
    features = np.ones((1, *shape), np.float32)
    header, body = parsed(unsealed(from_config({"name": "rle"}).encode(features)[0]), 1024)
    forged = replace(header, delta=DELTAS.index(delta)).to_bytes(len(body))
    with pytest.raises(PayloadError, match=f"codec.delta={delta} needs samples of"):
        from_config({"name": "rle", "delta": delta}).decode([sealed(forged, body)])


def test_a_jpeg_is_near_its_image():
    ramp = np.linspace(0, 255, 32).astype(np.uint8) * np.ones((2, 3, 32, 1), np.uint8)
    for images in (ramp, ramp[:, :1]):
        for codec in both({"name": "jpeg", "quality": 95}, images):
            decoded = codec.decode(codec.encode(images))
            assert decoded.dtype == np.uint8
            assert np.abs(decoded.astype(int) - images).max() < 8


@pytest.mark.parametrize("name", CODECS)
def test_a_saved_profile_is_the_same_profile(name, tmp_path):
    features = (relu_features(8, 3, 4, 4) * 50).astype(np.uint8)
    profile = calibrate(from_config({"name": name}), features)
    profile.save(tmp_path / "codec.json")
    loaded = load_profile(tmp_path / "codec.json")
    assert loaded.digest == profile.digest
    payloads = bound_codec(profile).encode(features)
    assert bound_codec(loaded).encode(features) == payloads
    bound_codec(loaded).decode(payloads)


def test_another_profile_decodes_nothing():
    features = relu_features(8, 3, 4, 4)
    one, other = (both({"name": "ans"}, features[k:])[1] for k in (0, 4))
    with pytest.raises(PayloadError, match="wrong checksum"):
        other.decode(one.encode(features))
    for other in ("rle", "plain"):
        with pytest.raises(ValueError, match="the profile is of"):
            from_config({"name": other}).bound(one.profile)


def test_a_profile_of_another_number_of_channels():
    profile = calibrate(from_config({"name": "ans", "per": "channel"}), relu_features(8, 3, 4, 4))
    with pytest.raises(ValueError, match=r"rows for 3 channels in a profile of shape \(4, 4, 4\)"):
        replace(profile, shape=(4, 4, 4))


def test_a_profile_of_other_levels_than_its_codec(tmp_path):
    """Else levels beyond the table would be read from whatever lies behind it in memory."""
    profile = calibrate(from_config({"name": "ans", "bits": 4}), relu_features(8, 3, 4, 4))
    other = calibrate(from_config({"name": "ans", "bits": 3}), relu_features(8, 3, 4, 4))
    few = replace(profile.grid, values=profile.grid.values[:, :2])
    rated = calibrate(from_config({"name": "ans", "range": "rate"}), relu_features(8, 3, 4, 4))
    beyond = replace(rated.grid, index=np.full_like(rated.grid.index, 200))
    for changed in (
        {"grid": few},
        {"config": {**profile.config, "bits": 8}},
        {"tables": other.tables},
        {"grid": beyond},
    ):
        with pytest.raises(ValueError, match="levels in a profile of"):
            replace(profile, **changed)


def test_a_profile_that_would_fill_memory_is_refused(tmp_path):
    profile = calibrate(from_config({"name": "ans"}), relu_features(8, 3, 4, 4))
    content = json.loads(profile.to_json())
    bomb = base64.b64encode(zlib.compress(bytes(2**28), 9)).decode()
    content["grid"]["values"] = {"dtype": "float32", "shape": [1, 16], "data": bomb}
    (tmp_path / "codec.json").write_text(json.dumps(content))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"codec.json is not an isplit codec profile 1"):
        load_profile(tmp_path / "codec.json")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def packed(array, level=9):
    data = base64.b64encode(zlib.compress(array.tobytes(), level)).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": data}


def test_the_digest_of_a_profile_is_that_of_its_file(tmp_path):
    """Another zlib compresses the same arrays to other bytes."""
    features = relu_features(8, 3, 4, 4)
    profile = calibrate(from_config({"name": "rle"}), features)
    content = json.loads(profile.to_json())
    for key in ("low", "scale", "values"):
        content["grid"][key] = packed(getattr(profile.grid, key), level=1)
    text = json.dumps(content, sort_keys=True, indent=1) + "\n"
    assert text != profile.to_json()
    (tmp_path / "codec.json").write_text(text)
    loaded = load_profile(tmp_path / "codec.json")
    assert loaded.digest == hashlib.sha256(text.encode()).digest()
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == text
    decoded = [
        bound_codec(one).decode(bound_codec(one).encode(features)) for one in (profile, loaded)
    ]
    np.testing.assert_array_equal(*decoded)


@pytest.mark.parametrize(
    ("part", "key", "change"),
    [
        ("grid", "values", lambda a: a * np.nan),
        ("grid", "low", lambda a: a.astype(np.complex64)),
        ("tables", "context", lambda a: a.astype(np.int8) - 1),
        ("tables", "parts", lambda a: a.astype(np.int64)),
        ("prediction", "sources", lambda a: np.full(a.shape, -(10**9))),
    ],
)
def test_a_profile_with_other_arrays_is_refused(part, key, change, tmp_path):
    """The loops that take them check nothing, and would read what lies outside."""
    codec = from_config({"name": "ans", "context": "channels"})
    content = json.loads(calibrate(codec, relu_features(8, 9, 4, 4)).to_json())
    held = content[part][key]
    array = np.frombuffer(zlib.decompress(base64.b64decode(held["data"])), held["dtype"])
    content[part][key] = packed(change(array.reshape(held["shape"])))
    (tmp_path / "codec.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"codec.json is not .* {key} is not finite, or"):
        load_profile(tmp_path / "codec.json")


def test_a_profile_that_another_process_is_writing_is_left_alone(tmp_path):
    (tmp_path / "codec.part").write_text("of another")
    profile = calibrate(from_config({"name": "rle"}), relu_features(8, 3, 4, 4))
    profile.save(tmp_path / "codec.json")
    assert load_profile(tmp_path / "codec.json").digest == profile.digest
    assert (tmp_path / "codec.part").read_text() == "of another"


NO_GRID = {"config": {"name": "rle", "bits": 4}, "shape": [3], "grid": {"values": [0]}}


@pytest.mark.parametrize(
    "text",
    [
        *("{}", "[]", "no json", '{"format": "isplit codec profile 9"}'),
        json.dumps(NO_GRID | {"format": "isplit codec profile 1", "tables": None}),
        json.dumps(NO_GRID | {"format": "isplit codec profile 1", "tables": {"parts": 0}}),
        json.dumps(NO_GRID | {"format": "isplit codec profile 1", "tables": None, "grid": []}),
    ],
)
def test_files_that_are_no_profile(tmp_path, text):
    (tmp_path / "codec.json").write_text(text)
    with pytest.raises(ValueError, match=r"codec.json is not an isplit codec profile 1"):
        load_profile(tmp_path / "codec.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": 5}, "are not .channels, contexts, 1024. parts of 16384"),
        ({"states": 2}, "tables for 2 states; there are 1 or 4"),
        ({"context": np.zeros(3, np.uint8)}, "context is not"),
    ],
)
def test_tables_that_contradict_themselves(change, message):
    tables = calibrate(from_config({"name": "ans"}), relu_features(8, 3, 4, 4)).tables
    with pytest.raises(ValueError, match=message):
        replace(tables, **change)


def test_levels_of_a_codec_without_profile():
    with pytest.raises(ValueError, match="codec=rle has no grid: calibrate it"):
        from_config({"name": "rle"}).levels(relu_features(1, 3, 4))


@pytest.mark.parametrize("name", QUANTISED)
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,)])
def test_ranges_of_no_channels_and_of_empty_ones_come_back(name, shape):
    codec = from_config({"name": name, "per": "channel"})
    assert codec.decode(codec.encode(np.zeros((2, *shape), np.float32))).shape == (2, *shape)


def test_levels_that_are_worth_their_bits_take_fewer_and_err_less_than_their_price():
    dice = np.random.default_rng(0)
    features = np.maximum(dice.normal(size=(200, 6, 5, 5)) - 0.5, 0).astype(np.float32)
    features *= np.array([1, 1, 1, 1, 0.01, 0], np.float32)[:, None, None]
    sizes, errors = {}, {}
    for how in ("clip", "rate"):
        config = {"name": "ans", "bits": 1, "per": "channel", "range": how}
        codec = bound_codec(calibrate(from_config(config), features[:150]))
        payloads = codec.encode(features[150:])
        sizes[how] = 8 * np.mean([len(payload) for payload in payloads]) / features[0].size
        errors[how] = np.square(codec.decode(payloads) - features[150:]).mean()
    assert len(set(codec.decode(payloads)[:, 4:].reshape(-1).tolist())) == 2  # a level each
    assert sizes["rate"] < sizes["clip"]
    price = 0.25 * features.var((0, 2, 3)).mean()
    assert errors["rate"] + price * sizes["rate"] < errors["clip"] + price * sizes["clip"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"context": "channels"}, "codec.context=channels needs codec.calibration_images"),
        ({"range": "rate"}, "codec.range=rate needs codec.calibration_images"),
        ({"range": "rate", "bits": 5}, "codec.range=rate is for up to 4 bits, not codec.bits=5"),
        (
            {"name": "rle", "context": "channels"},
            "codec.context=channels is for codec=ans, not rle",
        ),
    ],
)
def test_what_needs_calibration_is_refused_without(settings, message):
    with pytest.raises(ValueError, match=message):
        from_config({"name": "ans"} | settings).encode(relu_features(2, 3, 4, 4))


def test_features_next_to_nothing_have_levels_that_are_worth_their_bits():
    tiny = np.array([1, 1e-39, 1e-44], np.float32)[:, None] * relu_features(9, 3, 4)
    for features in (tiny, tiny[:, 1:]):
        codec = from_config({"range": "rate", "per": "channel", "name": "ans"})
        codec = codec.bound(calibrate(codec, features))
        assert np.abs(codec.decode(codec.encode(features)) - features).max() <= features.max()


def test_a_codec_with_a_profile_is_calibrated_on_other_features():
    codec, bound = both({"name": "ans"}, relu_features(2, 3, 4))
    others = relu_features(5, 2, 6)
    assert calibrate(bound, others).digest == calibrate(codec, others).digest


def test_contexts_of_other_channels_decode_to_the_same_in_fewer_bytes(tmp_path):
    dice = np.random.default_rng(0)
    sources, mix = dice.normal(size=(300, 3, 6, 6)), dice.normal(size=(3, 24))
    features = np.maximum(np.einsum("nchw,ck->nkhw", sources, mix), 0).astype(np.float32)
    sent = {}
    for context in ("neighbours", "channels"):
        config = {"name": "ans", "bits": 3, "context": context}
        calibrate(from_config(config), features[:200]).save(tmp_path / "codec.json")
        codec = bound_codec(load_profile(tmp_path / "codec.json"))
        payloads = codec.encode(features[200:])
        sent[context] = codec.decode(payloads), sum(map(len, payloads))
    np.testing.assert_array_equal(sent["channels"][0], sent["neighbours"][0])
    assert sent["channels"][1] < 0.8 * sent["neighbours"][1]
