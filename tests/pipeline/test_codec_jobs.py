"""``train(cfg)`` with a codec: what is sent is encoded, decoded and reported for real."""

import csv
import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from pipeline.jobs import ROOT, compose_job

from isplit import runs
from isplit.artifact import load_split_model
from isplit.codec import CODECS, calibrate, from_config
from isplit.config import build_data
from isplit.evaluate import evaluate
from isplit.keys import checked
from isplit.stages import Sending
from isplit.stages.sending import Wire
from isplit.studies.collect import by_condition, collect

POINTS = "split.layer=[block1_pool,block3_pool,block5_pool]"
RAW = ("bottleneck=none", POINTS)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder whose store has the baseline after the first job."""
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def coded(root):
    """A job without a bottleneck, and one on the code of a bottleneck."""
    raw = compose_job(root, *RAW, "codec=rle", "codec.bits=4", output="raw")
    code = compose_job(root, "codec=ans", "codec.bits=3", "codec.calibration_images=60")
    return {"raw": (raw, runs.train(raw)), "job": (code, runs.train(code))}


def folders_of(root, name):
    return [path.parent for path in sorted((root / name).rglob("result.json"))]


def timeless(result):
    """A result without what may differ between two runs of the same job."""
    return replace(result, stages={s: replace(v, seconds=0) for s, v in result.stages.items()})


@pytest.mark.parametrize("name", ["raw", "job"])
def test_accuracy_and_bytes_are_those_of_payloads_made_here(root, coded, name):
    cfg, results = coded[name]
    data = build_data(cfg)
    for folder, result in zip(folders_of(root, name), results, strict=True):
        split = load_split_model(folder)
        sizes, right = [], 0
        with torch.no_grad():
            for images, labels in data.loader("test", 20):
                payloads = split.codec.encode(split.encode(images))
                sizes += map(len, payloads)
                back = torch.from_numpy(split.codec.decode(payloads))
                right += int((split.decode(back).argmax(1) == labels).sum())
        codec, elements = result.codec, math.prod(split.bottleneck.code_shape)
        assert result.accuracy.with_codec == result.accuracy.final == right / len(sizes)
        assert codec.payload_mean_bytes == pytest.approx(np.mean(sizes))
        p95 = np.percentile(sizes, 95, method="higher")
        assert (codec.payload_p95_bytes, codec.payload_max_bytes) == (p95, max(sizes))
        assert codec.bits_per_element == pytest.approx(8 * np.mean(sizes) / elements)
        assert result.cost.payload_bytes == round(np.mean(sizes))
        assert min(codec.encode_ms, codec.decode_ms) > 0
        with (folder / "predictions.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert sum(row["label"] == row["codec"] for row in rows) == right


def test_without_a_bottleneck_nothing_is_trained(root, coded):
    written = json.loads((folders_of(root, "raw")[0] / "result.json").read_text())
    assert (written["schema"], written["bottleneck"]) == (2, None)
    assert (written["accuracy"]["after_autoencoder"], written["cost"]["encoder_macs"]) == (None, 0)
    assert list(written["stages"]) == ["baseline", "codec"]
    settings = {"name": "rle", "bits": 4, "per": "tensor", "range": "minmax"}
    assert written["codec"]["settings"] == settings | {
        "delta": "none",
        "context": "neighbours",
        "effort": None,
    }
    assert written["codec"]["calibration_images"] is None
    said = (root / "raw" / "results.txt").read_text()
    best = max(coded["raw"][1], key=lambda r: (r.accuracy.final, r.split.index))
    assert f"-> {best.cost.payload_bytes:,} bytes a frame" in " ".join(said.split())
    assert "with codec" in said
    assert "fine-tuned" not in said


def test_the_profile_is_of_training_images_and_hashed_in_the_manifest(root, coded, tmp_path):
    cfg, (result,) = coded["job"]
    folder = root / "job"
    text = (folder / "codec_profile.json").read_bytes()
    manifest = json.loads((folder / "split_model.json").read_text())
    assert manifest["profile_sha256"] == hashlib.sha256(text).hexdigest()
    split, data = load_split_model(folder), build_data(cfg)
    with torch.no_grad():
        batches = data.loader("train", 60, images=60, seed=cfg.seed)
        codes = torch.cat([split.encode(images) for images, _ in batches])
    profile = calibrate(from_config(result.codec.settings), codes)
    assert profile.to_json().encode() == text
    assert result.codec.calibration_images == 60
    for name in ("split_model.json", "split_model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    for content in (None, text.replace(b'"bits": 3', b'"bits": 4')):
        if content:
            (tmp_path / "codec_profile.json").write_bytes(content)
        with pytest.raises(ValueError, match=r"codec_profile\.json is not the file that"):
            load_split_model(tmp_path)


def test_the_same_command_again_reuses_all_and_says_the_same(root, coded):
    for name, (_, results) in coded.items():
        words = RAW if name == "raw" else ()
        codec = ["codec=rle"] if name == "raw" else ["codec=ans", "codec.bits=3"]
        codec += [] if name == "raw" else ["codec.calibration_images=60"]
        again = runs.train(compose_job(root, *words, *codec, output=f"{name}_again"))
        assert all(stage.reused for result in again for stage in result.stages.values())
        reused = [
            replace(r, stages={s: replace(v, reused=True) for s, v in r.stages.items()})
            for r in results
        ]
        assert [*map(timeless, again)] == [*map(timeless, reused)]


def test_another_number_of_bits_trains_nothing_anew(root, coded):
    words = ("codec=ans", "codec.bits=2", "codec.calibration_images=60")
    (other,) = runs.train(compose_job(root, *words, output="two_bits"))
    assert {s: stage.reused for s, stage in other.stages.items()} == {
        **dict.fromkeys(("baseline", "autoencoder", "finetune"), True),
        "codec": False,
    }
    (first,) = coded["job"][1]
    assert other.codec.payload_max_bytes < first.codec.payload_max_bytes
    assert other.accuracy.after_finetune == first.accuracy.after_finetune


def test_more_calibration_images_than_there_are_is_as_many_as_there_are(root, coded):
    words = ("bottleneck=none", "codec=rle", "codec.calibration_images=100000")
    (result,) = runs.train(compose_job(root, *words, output="all_images"))
    assert result.codec.calibration_images == build_data(coded["raw"][0]).size("train")


def test_raw_features_without_a_codec_are_the_unsplit_net(root, coded):
    cfg = compose_job(root, *RAW, output="plain")
    results = runs.train(cfg)
    data = build_data(cfg)
    for folder, result in zip(folders_of(root, "plain"), results, strict=True):
        split = load_split_model(folder)
        assert (result.codec, result.bottleneck, split.codec) == (None, None, None)
        assert result.cost.payload_bytes == result.cost.feature_bytes
        assert result.accuracy.final == result.accuracy.baseline
        found = evaluate(split, data.loader("test", 50), data.num_classes)
        assert found.accuracy == result.accuracy.baseline
        assert result.per_class.split_f1 == result.per_class.baseline_f1


def test_fine_tuning_through_the_codec_is_another_fine_tuning(root, coded):
    words = ("codec=rle", "codec.bits=1", "stage.finetune.through_codec=true")
    (through,) = runs.train(compose_job(root, *words, output="through"))
    (plain,) = coded["job"][1]
    assert through.stages["autoencoder"] == replace(plain.stages["autoencoder"], reused=True)
    assert through.stages["finetune"].fingerprint != plain.stages["finetune"].fingerprint
    losses = {}
    for name in ("through", "job"):
        with (root / name / "metrics.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["stage"] == "finetune"]
        losses[name] = [float(row["val_loss"]) for row in rows]
    assert np.isfinite(losses["through"]).all()
    assert all(a != b for a, b in zip(losses["through"], losses["job"], strict=True))


def test_limits_hold_for_every_payload(root, coded):
    words = ("bottleneck=none", "codec=rle", "codec.bits=2", "split.layer=all")
    results = runs.train(compose_job(root, *words, "split.max_code_bytes=150", output="limited"))
    assert results
    assert all(result.codec.payload_max_bytes <= 150 for result in results)
    assert all(result.cost.feature_bytes > 150 for result in results)  # without a codec: none


def test_an_analysis_of_jobs_with_codecs(root, coded):
    found = by_condition(collect([root / "raw"]).runs)
    assert [*found] == ["vgg16 x 0.125 on letters easy (10 classes), no bottleneck, rle, seed 0"]
    where = (f"paths.root={root}", f"paths.output={root / 'analysis'}", f"runs={root / 'raw'}")
    few = ("study.predictors=[cui,depth,probe]", "study.reductions=[]", "study.heat_maps=0")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        words = ["logger=none", "study.images=40", "study.untrained=[cui]", *few, *where]
        runs.analyze(compose("analyze", words))
    with (root / "analysis" / "curve.csv").open() as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    for result in coded["raw"][1]:
        row = rows[result.split.label]
        assert float(row["accuracy"]) == result.accuracy.with_codec
        assert int(row["payload_bytes"]) == result.cost.payload_bytes
        assert (row["after_autoencoder"], row["minus_nmse"], row["code_shape"]) == ("", "", "")
    agreement = json.loads((root / "analysis" / "agreement.json").read_text())
    assert agreement["n"] == 3
    assert {"cui", "depth", "random:cui"} == set(agreement["predictors"])
    assert (
        "no probe: there is no bottleneck to judge" in (root / "analysis/report.html").read_text()
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("codec=rle", "codec.bits=0"), r"^codec\.bits=0 is no whole number from 1 to 8$"),
        (("codec=rle", "codec.per=row"), r"^codec\.per=row is none of tensor, channel$"),
        (("codec=zlib", "codec.effort=22"), r"^codec\.effort=22 is no whole number from 0 to 9"),
        (("stage.finetune.through_codec=true",), r"^stage\.finetune\.through_codec=true needs a c"),
        (
            ("bottleneck=none", "codec=rle", "stage.finetune.through_codec=true"),
            r"^stage\.finetune\.through_codec=true needs a codec, and a bottleneck to train$",
        ),
        (
            ("bottleneck=none", "split=probe"),
            r"^split\.kind=probe judges bottlenecks, and there is",
        ),
        (
            ("bottleneck=none", "codec=rle", "split.max_code_bytes=100"),
            r"split\.layer='block3_pool' is excluded: split\.max_code_bytes=100 but it has 2\d\d$",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_trained(tmp_path, words, message):
    with pytest.raises(ValueError, match=message):
        runs.train(compose_job(tmp_path, *words))
    assert not list((tmp_path / "store").glob("*/*.part"))
    assert not (tmp_path / "store" / "baseline").exists()


def test_every_codec_of_features_has_an_option(tmp_path):
    options = {path.stem for path in (ROOT / "conf" / "codec").glob("[!_]*.yaml")}
    assert options == {"none", *CODECS} - {"jpeg"}  # which codes images
    for name in options - {"none"}:
        keys = dict(checked(compose_job(tmp_path, f"codec={name}")).codec)
        keys.pop("calibration_images", None)
        assert from_config(keys).name == name


@pytest.mark.parametrize("name", sorted(CODECS.keys() - {"jpeg"}))
@pytest.mark.parametrize("images", [None, 8])
@pytest.mark.parametrize("shape", [(3, 5, 7), (40,), (1, 1, 1), (6, 10)])
def test_no_payload_is_larger_than_said(name, images, shape):
    sending = Sending(from_config({"name": name}), images)
    noise = np.random.default_rng(0).normal(size=(8, *shape)).astype(np.float32)
    codec = sending.codec
    if images:
        codec = codec.bound(calibrate(codec, noise))
    sizes = [len(payload) for payload in codec.encode(noise)]
    assert max(sizes) <= sending.largest_bytes(shape)
    if name in ("quantize", "plain"):
        assert max(sizes) == sending.largest_bytes(shape)


def test_what_a_codec_cannot_code_is_refused_by_its_name():
    rows = from_config({"name": "rle", "delta": "rows"})
    with pytest.raises(ValueError, match=r"codec=rle cannot be used here: codec\.delta=rows needs"):
        Sending(rows).largest_bytes((8, 8))


def test_the_wire_gives_what_is_decoded_and_lets_gradients_pass():
    wire = Wire(from_config({"name": "rle", "bits": 2}))
    code = torch.randn(5, 3, 4, 4)
    expected = torch.from_numpy(wire.codec.decode(wire.codec.encode(code)))
    assert torch.equal(wire(torch.nn.Identity(), (), code), expected)
    wanted = code.clone().requires_grad_()
    sent = wire(torch.nn.Identity(), (), wanted)
    assert torch.allclose(sent, expected, atol=1e-6)
    (3 * sent).sum().backward()
    assert torch.equal(wanted.grad, torch.full_like(code, 3.0))
    assert len(wire.notes) == 10
