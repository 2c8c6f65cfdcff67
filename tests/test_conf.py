"""The keys of conf/: every option composes, every key says what it takes, no other is let in."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from omegaconf import OmegaConf
from pipeline.jobs import ROOT, compose_job

from isplit import __main__ as command
from isplit.backbones.layout import BACKBONES, SMALL_STEMS
from isplit.codec import CODECS
from isplit.codec.form import DELTAS
from isplit.codec.grid import RANGES
from isplit.codec.levels import CONTEXTS, PER
from isplit.codec.plain import DTYPES
from isplit.config import cui_settings, curve_rate_of, limits, not_compressed
from isplit.data.decode import FITS
from isplit.data.images import AUGMENTATIONS
from isplit.graph.points import GRANULARITIES
from isplit.importance import PREDICTORS, auto_rule
from isplit.importance.select import RULES
from isplit.keys import checked, composed, conf_folder
from isplit.keys.check import given, keys_of
from isplit.keys.conf import every_key, groups, options
from isplit.keys.takes import taken, terms
from isplit.point import SplitPoint
from isplit.runs.analyze import STUDIES
from isplit.stages.recipe import LOSSES, OPTIMIZERS, RECONSTRUCTIONS, SCHEDULES, TAUGHT
from isplit.studies.classes.proposal import FEWEST_CLASSES
from isplit.tracking.run import MODES

GROUPS = (
    "data",
    "model",
    "split",
    "bottleneck",
    "codec",
    "stage",
    "trainer",
    "logger",
    "experiment",
    "scale",
)
NEEDED = {
    "model=custom": ("model.net._target_=cases.Residual",),
    "model=torchvision": ("model.arch=alexnet",),
}
OPTIONS = [
    f"{group}={path.stem}"
    for group in GROUPS
    for path in sorted((ROOT / "conf" / group).glob("*.yaml"))
    if not path.stem.startswith("_")
]


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_composes_and_keeps_to_what_its_keys_take(option, tmp_path):
    cfg = compose_job(tmp_path, option, "data.root=somewhere", *NEEDED.get(option, ()))
    assert checked(cfg) == cfg
    assert OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_keeps_to_what_its_keys_take(study):
    cfg = composed("analyze", [f"study={study}"], conf_folder())
    assert checked(cfg) == cfg


def test_every_key_says_what_it_takes_and_what_it_is_for():
    assert not [key for key, says in every_key().items() if not terms(says)]
    words_alone = [key for key, says in every_key().items() if ": " not in says]
    assert set(words_alone) <= {"model.name", *(f"stage.{s}.optimizer" for s in STAGES)}


STAGES = ("baseline", "autoencoder", "finetune")
TABLES = {
    "split.kind": PREDICTORS,
    "split.granularity": GRANULARITIES,
    "model.name": BACKBONES,
    "model.stem": ("auto", "imagenet", *SMALL_STEMS),
    "data.fit": FITS,
    "data.augment": AUGMENTATIONS,
    "logger.mode": MODES,
    "stage.baseline.optimizer": OPTIMIZERS,
    "stage.baseline.schedule": SCHEDULES,
    "stage.baseline.loss": [loss for loss in LOSSES if loss not in TAUGHT],
    "stage.autoencoder.loss": RECONSTRUCTIONS,
    "stage.finetune.loss": LOSSES,
    "codec.name": {"none", *CODECS} - {"jpeg"},  # which codes images
    "codec.per": PER,
    "codec.context": CONTEXTS,
    "codec.range": RANGES,
    "codec.delta": DELTAS,
    "codec.dtype": DTYPES,
}


@pytest.mark.parametrize("key", TABLES)
def test_the_words_are_those_of_the_program(key):
    file = "_base" if key.startswith("model") else None  # custom nets have any name
    says = options("model")["vgg16"].keys[key] if file else every_key()[key]
    assert set(terms(says)) == set(TABLES[key])


def test_rules_and_bounds_are_those_of_the_program(tmp_path):
    assert terms(every_key()["split.layer"])[: len(RULES)] == list(RULES)
    for kind, option in options("split").items():
        assert ("peak" in option.title) == (auto_rule(kind) == "peak"), option.title
    assert terms(every_key()["study.classes_per_subset"])[1].split()[3] == str(FEWEST_CLASSES)
    cfg = compose_job(tmp_path)
    assert cui_settings(checked(cfg)).precision == "32"


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("bottleneck.compression_rate=90%", "bottleneck.compression_rate", 0.9),
        ("bottleneck.compression_rate=98.4%", "bottleneck.compression_rate", 0.984),
        ("split.max_code_bytes=4kB", "split.max_code_bytes", 4000),
        ("split.max_code_bytes=4KiB", "split.max_code_bytes", 4096),
        ("split.max_feature_bytes=1.5 MB", "split.max_feature_bytes", 1_500_000),
        ("split.max_head_macs=20M", "split.max_head_macs", 20_000_000),
        ("split.max_head_macs=20e6", "split.max_head_macs", 20_000_000),
        ("split.max_head_macs=200", "split.max_head_macs", 200),
        ("split.cui.precision=32", "split.cui.precision", "32"),
        ("split.layer=[auto,3,block1_pool]", "split.layer", ["auto", 3, "block1_pool"]),
        ("data.mean=0.5", "data.mean", 0.5),
        ("stage.finetune.weight_decay=0", "stage.finetune.weight_decay", 0),
        ("trainer.devices=[0,1]", "trainer.devices", [0, 1]),
        ("data.classes=[A,2]", "data.classes", ["A", 2]),
        ("logger.name='5'", "logger.name", "5"),
    ],
)
def test_a_value_reaches_the_program_as_it_was_meant(word, key, value, tmp_path):
    found = OmegaConf.select(checked(compose_job(tmp_path, word)), key)
    assert found == value
    assert type(found) is type(value) or OmegaConf.is_list(found)


def test_limits_are_whole_numbers(tmp_path):
    cfg = checked(compose_job(tmp_path, "split.max_code_bytes=4kB", "split.max_head_macs=2e7"))
    assert (limits(cfg).max_code_bytes, limits(cfg).max_head_macs) == (4000, 20_000_000)


def test_a_code_as_large_as_the_features_keeps_all_but_one_in_a_curve(tmp_path):
    cfg = checked(compose_job(tmp_path, "bottleneck.code_elements=64"))
    large = SplitPoint(0, "a", (8, 4, 4), "a", 0, 0, 0)
    small = replace(large, name="b", shape=(4, 4, 4))
    assert (curve_rate_of(cfg)(large), curve_rate_of(cfg)(small)) == (0.5, 1 / 64)
    assert not_compressed(cfg, [large]) == []
    (line,) = not_compressed(cfg, [large, small])
    assert line == "left out, with no more features than bottleneck.code_elements=64: b (64)"


WHOLE = "is no whole number from 0 up to 4294967295"
BELOW_1 = "is no number above 0 below 1"
LAYER = "is none of auto, best, peak, peaks, all, search, name, index, list of these"
OPTIMIZER = "is none of adamw, adam, sgd"
KINDS = ", ".join(terms(every_key()["split.kind"]))
IN_QUOTES = "as a text it stands in quotes:"
REFUSED = [  # the overrides, and the line that is all that is printed
    ("seed=abc", f"seed=abc {WHOLE}"),
    ("seed=-1", f"seed=-1 {WHOLE}"),
    ("seed=1.5", f"seed=1.5 {WHOLE}"),
    ("seed=null", f"seed=null {WHOLE}"),
    ("seed=true", f"seed=true {WHOLE}"),
    ("seed=[1]", f"seed=[1] {WHOLE}"),
    ("seed={a:1}", f"seed={{a: 1}} {WHOLE}"),
    ("seed=", f"seed='' {WHOLE}"),
    ("seed=1e3", f"seed=1000.0 {WHOLE}"),
    ("seed=18446744073709551616", f"seed=18446744073709551616 {WHOLE}"),
    ("repeat=-1", "repeat=-1 is no whole number from 0 up"),
    ("bottleneck.compression_rate=1", f"bottleneck.compression_rate=1 {BELOW_1}"),
    ("bottleneck.compression_rate=0", f"bottleneck.compression_rate=0 {BELOW_1}"),
    ("bottleneck.compression_rate=90", f"bottleneck.compression_rate=90 {BELOW_1}"),
    ("bottleneck.compression_rate=100%", f"bottleneck.compression_rate=100% {BELOW_1}"),
    ("bottleneck.compression_rate=nan", f"bottleneck.compression_rate=nan {BELOW_1}"),
    (
        "bottleneck.code_elements=0",
        "bottleneck.code_elements=0 is none of null, whole number from 1 up",
    ),
    (
        "bottleneck.code_elements=64.5",
        "bottleneck.code_elements=64.5 is none of null, whole number from 1 up",
    ),
    ("split.max_code_bytes=4kg", "split.max_code_bytes=4kg is none of null, count from 1 up"),
    ("split.max_code_bytes=-4", "split.max_code_bytes=-4 is none of null, count from 1 up"),
    ("split.max_code_bytes=0.1", "split.max_code_bytes=0.1 is none of null, count from 1 up"),
    ("split.max_head_macs=2.5", "split.max_head_macs=2.5 is none of null, count from 1 up"),
    ("split.max_head_macs=inf", "split.max_head_macs=inf is none of null, count from 1 up"),
    ("split.min_depth=-1", "split.min_depth=-1 is none of null, whole number from 0 up"),
    ("split.layer=5.5", f"split.layer=5.5 {LAYER}; {IN_QUOTES} \"'5.5'\""),
    ("split.layer=[]", f"split.layer=[] {LAYER}"),
    ("split.layer=null", f"split.layer=null {LAYER}; {IN_QUOTES} \"'null'\""),
    ("split.layer=true", f"split.layer=true {LAYER}; {IN_QUOTES} \"'true'\""),
    ("split.layer=[auto,null]", f"split.layer=[auto, null] {LAYER}; {IN_QUOTES} \"'null'\""),
    ("split.layer=-1", f"split.layer=-1 {LAYER}; {IN_QUOTES} \"'-1'\""),
    ("stage.finetune.learning_rate=-1", "stage.finetune.learning_rate=-1 is no number above 0"),
    ("stage.finetune.learning_rate=inf", "stage.finetune.learning_rate=inf is no number above 0"),
    ("stage.finetune.learning_rate=fast", "stage.finetune.learning_rate=fast is no number above 0"),
    ("stage.baseline.epochs=-1", "stage.baseline.epochs=-1 is no whole number from 0 up"),
    ("stage.baseline.epochs=2.5", "stage.baseline.epochs=2.5 is no whole number from 0 up"),
    ("stage.autoencoder.epochs=0", "stage.autoencoder.epochs=0 is no whole number from 1 up"),
    ("stage.baseline.batch_size=0", "stage.baseline.batch_size=0 is no whole number from 1 up"),
    (
        "stage.baseline.batch_size=[32]",
        "stage.baseline.batch_size=[32] is no whole number from 1 up",
    ),
    (
        "stage.baseline.patience=0",
        "stage.baseline.patience=0 is none of null, whole number from 1 up",
    ),
    (
        "stage.finetune.optimizer=adamv",
        f"stage.finetune.optimizer=adamv {OPTIMIZER}; did you mean adam?",
    ),
    ("stage.finetune.optimizer=null", f"stage.finetune.optimizer=null {OPTIMIZER}"),
    (
        "stage.finetune.optimizer=[adam]",
        f"stage.finetune.optimizer=[adam] {OPTIMIZER}; did you mean adam?",
    ),
    (
        "stage.baseline.trains=half",
        "stage.baseline.trains=half is none of auto, all, classifier, nothing",
    ),
    (
        "stage.autoencoder.loss=cross_entropy",
        "stage.autoencoder.loss=cross_entropy is none of mse, distill",
    ),
    ("split.images=-5", "split.images=-5 is none of null, whole number from 4 up"),
    ("split.images=many", "split.images=many is none of null, whole number from 4 up"),
    ("split.kind=prob", f"split.kind=prob is none of {KINDS}; did you mean probe?"),
    (
        "split.cui.channels=median",
        "split.cui.channels=median is none of mean, sum; did you mean mean?",
    ),
    ("data.image_size=7", "data.image_size=7 is no whole number from 8 to 4096"),
    ("data.mean=[1,2]", "data.mean=[1, 2] is none of number, 3 numbers"),
    ("data.std=0", "data.std=0 is none of number above 0, 3 numbers above 0"),
    ("data.std=[1,1,0]", "data.std=[1, 1, 0] is none of number above 0, 3 numbers above 0"),
    ("data.download=yes", "data.download=yes is none of true, false"),
    ("data.download=1", "data.download=1 is none of true, false"),
    ("data.difficulty=2", "data.difficulty=2 is no number from 0 to 1"),
    ("data.classes=A", "data.classes=A is none of null, list of names"),
    (
        "data.classes=[no,true]",
        f"data.classes=[no, true] is none of null, list of names; {IN_QUOTES} \"'true'\"",
    ),
    ("data.groups=[A,B]", "data.groups=[A, B] is none of null, mapping"),
    ("data.root=5", f"data.root=5 is none of null, path; {IN_QUOTES} \"'5'\""),
    ("model.batch_norm=1", "model.batch_norm=1 is none of true, false"),
    ("model.dropout=1", "model.dropout=1 is none of null, number from 0 below 1"),
    ("trainer.threads=0", "trainer.threads=0 is none of auto, whole number from 1 up"),
    (
        "trainer.accelerator=tpu",
        "trainer.accelerator=tpu is none of auto, cpu, gpu, cuda, mps; did you mean gpu?",
    ),
    (
        "trainer.devices=0",
        "trainer.devices=0 is none of auto, whole number from 1 up, list of whole numbers",
    ),
    ("trainer.progress=dots", "trainer.progress=dots is none of auto, bar, lines, none"),
    (
        "logger.mode=onlin",
        "logger.mode=onlin is none of auto, online, offline, disabled; did you mean online?",
    ),
    (
        "logger.tags=2",
        "logger.tags=2 is none of null, [], text, list of texts; as a text it stands in quotes: "
        "\"'2'\"",
    ),
    ("sweep.resume=2", "sweep.resume=2 is none of true, false"),
    (
        "paths.root=null",
        "paths.root=null is no path; as a text it stands in quotes: \"'null'\"",
    ),
    ("split.layr=", "split.layr is no key; did you mean split.layer?"),
    ("+split.layr=3", "split.layr=3 is no key; did you mean split.layer?"),
    ("layer=3", "layer is no key; did you mean split.layer?"),
    ("zzz=3", "zzz is no key"),
    ("split.layer.a=3", "split.layer.a is no key; did you mean split.layer?"),
    (
        "split.cui=5",
        "split.cui=5 is no key but holds some: "
        "target, channels, spatial, accumulate, tap, precision",
    ),
    (
        "stage.baseline=null",
        "stage.baseline=null is no key but holds some: trains, epochs, learning_rate, batch_size, "
        "optimizer, weight_decay, schedule, loss, patience, images, gradient_clip",
    ),
    (
        "model=resnet51",
        "model=resnet51 is none of custom, mobilenet_v3_small, resnet152, resnet18, resnet50, "
        "torchvision, vgg16, vgg16_small, vgg16_tiny; did you mean resnet50?",
    ),
    ("scale=ful", "scale=ful is none of cpu, full, smoke; did you mean full?"),
    ("split=5", "split=5: Config group override must be a string or a list. Got int"),
    ("~seed", "~seed: a key can be changed, not taken away"),
    ("seed=0,1", "seed=0,1 has several values: -m makes a job of each, [a,b] is a list"),
    (
        "seed=range(1,3)",
        "seed=range(1,3) has several values: -m makes a job of each, [a,b] is a list",
    ),
    ("seed", "seed: cannot be read as key=value (text in quotes may help)"),
    ("seed=[1", "seed=[1: cannot be read as key=value (text in quotes may help)"),
    ("data.root=${nothing}", "data.root: Interpolation key 'nothing' not found"),
    (
        "data.root=${oc.env:NO_SUCH_VARIABLE}",
        "data.root: \"Environment variable 'NO_SUCH_VARIABLE' not found\"",
    ),
    ("model=custom", "model.net._target_ is not given: it has no value by itself"),
    (
        "model=torchvision",
        "model.arch=null: model=torchvision needs torchvision's name of the architecture",
    ),
    ("model.arch=alexnet", "model.arch=alexnet is for model=torchvision, not for model.name=vgg16"),
    (
        "model=mobilenet_v3_small model.width=0.5",
        "model.width=0.5 is for VGG and ResNet, mobilenet_v3_small has only width 1",
    ),
    (
        "bottleneck=none bottleneck.code_elements=8",
        "bottleneck.code_elements is no key of what was chosen for bottleneck",
    ),
    ("codec.bits=4", "codec.bits is no key of what was chosen for codec"),
    ("codec=rle codec.bits=0", "codec.bits=0 is no whole number from 1 to 8"),
    ("codec=rle codec.bits=9", "codec.bits=9 is no whole number from 1 to 8"),
    (
        "codec=foo",
        "codec=foo is none of ans, blosc2, lz4, none, pcodec, plain, quantize, rle, zlib, zstd",
    ),
    (
        "codec=rle codec.calibration_images=0",
        "codec.calibration_images=0 is none of null, whole number from 1 up",
    ),
    (
        "stage.finetune.through_codec=true",
        "stage.finetune.through_codec=true needs a codec, and a bottleneck to train",
    ),
    (
        "bottleneck=none codec=rle stage.finetune.through_codec=true",
        "stage.finetune.through_codec=true needs a codec, and a bottleneck to train",
    ),
    ("split.min_depth=5 split.max_depth=3", "split.min_depth=5 is above split.max_depth=3"),
    ("data=folder +data.difficulty=0.5", "data.difficulty=0.5 is no key; did you mean data.fit?"),
    ("-m seed=0 split.layr=1", "split.layr is no key; did you mean split.layer?"),
    ("analyze threads=0", "threads=0 is none of auto, whole number from 1 up"),
    ("analyze study.images=1", "study.images=1 is none of null, whole number from 4 up"),
    (
        "analyze study.predictors=[cam]",
        f"study.predictors=[cam] is none of [], list of split.kind ({KINDS})",
    ),
    (
        "analyze study.reductions=[{tapp:point}]",
        "study.reductions=[{tapp: point}] is none of [], list of split.cui "
        "(target, channels, spatial, accumulate, tap, precision)",
    ),
    ("analyze study.heat_maps=-1", "study.heat_maps=-1 is no whole number from 0 up"),
    ("analyze runs=[]", "runs=[] is none of path, list of paths"),
    (
        "analyze study=classs",
        "study=classs is none of agreement, classes, latency, payload; did you mean classes?",
    ),
    ("analyze study=classes study.repeats=0", "study.repeats=0 is no whole number from 1 up"),
    ("analyze channel.loss=0.1", "channel.loss is no key of what was chosen for channel"),
    ("analyze channel=lte channel.loss=1.5", "channel.loss=1.5 is no number from 0 to 0.99"),
    ("analyze channel=lte channel.up_bit_s=-1", "channel.up_bit_s=-1 is no number from 1 up"),
    ("analyze channel=lte channel.los=0", "channel.los is no key; did you mean channel.loss?"),
    (
        "analyze channel=nbiot",
        "channel.down_bit_s is not given: number from 1 up: rate from the server to the device in "
        "bit/s",
    ),
    ("analyze device=pi4 device.power_W=x", "device.power_W=x is none of null, number from 0 up"),
    (
        "analyze device=pie",
        "device=pie is none of jetson_nano, l4, laptop, orin_nano, phone, pi3, pi4, pi4_int8, pi5, "
        "t4, t4_int8, xavier_cpu, xeon_core; did you mean pi5?",
    ),
    (
        "analyze requirement.accuracy=90",
        "requirement.accuracy=90 is none of null, number above 0 to 1",
    ),
    (
        "analyze study=latency study.loss=[2]",
        "study.loss=[2] is none of [], list of numbers from 0 to 0.99; did you mean []?",
    ),
    ("analyze seed=1", "seed is no key; did you mean data.seed?"),
    (
        "analyze channel=some/folder/lte.yaml",
        f"channel=some/folder/lte.yaml is none of {', '.join(options('channel'))}; "
        "--config-dir=FOLDER finds your own FOLDER/channel/lte.yaml",
    ),
    ("analyze --config-dir=nowhere device=pi4", "--config-dir=nowhere is no folder"),
]


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch):
    """A line that is let through fails its test instead of beginning to train."""
    monkeypatch.setattr(command, "_run_hydra", lambda *_: pytest.fail("it was let through"))


@pytest.mark.parametrize(("words", "line"), REFUSED, ids=[words for words, _ in REFUSED])
def test_a_mistake_is_one_line(words, line, capsys):
    arguments = words.split(" ") if words.startswith("analyze") else ["train", *words.split(" ")]
    assert command.main(arguments) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"error: {line}\n"


@pytest.mark.parametrize("words", [["-m"], ["hydra.mode=MULTIRUN"]])
def test_several_values_are_left_to_the_sweeper(words):
    with pytest.raises(pytest.fail.Exception, match="it was let through"):
        command.main(["train", *words, "seed=0,1", "model=vgg16,resnet18"])


def test_several_mistakes_are_a_line_each(capsys):
    assert command.main(["train", "seed=-1", "split.images=0", "stage.baseline.epochs=x"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 3


WRONG = (-1, 1.5, True, None, "no such thing", "", float("nan"), [], [None], {"a": 1}, [[1]])


@pytest.mark.parametrize("job", ["train", "analyze"])
def test_any_key_takes_what_it_says_or_says_what_it_takes(job):
    keys = every_key()
    raw = OmegaConf.to_container(composed(job, [], conf_folder()), resolve=False)
    for key, _ in given(raw, keys_of(raw)):
        for value in WRONG:
            kind, said = outcome(keys[key], value, keys)
            assert kind is type(value) or said.startswith(("is no ", "is none of ")), key
            assert "\n" not in said


def outcome(says, value, keys):
    """The kind of value that a key makes of this one; else what it says."""
    try:
        return type(taken(says, value, keys)), ""
    except ValueError as error:
        return None, str(error)


@pytest.mark.parametrize("job", ["train", "analyze"])
def test_help_has_every_key_and_choice_and_nothing_private(job, capsys):
    assert command.main([job, "--help"]) == 0
    said = capsys.readouterr().out
    raw = OmegaConf.to_container(composed(job, [], conf_folder()), resolve=False)
    keys = keys_of(raw)
    for key, _ in given(raw, keys):
        assert f"  {key}=" in said
        assert keys[key] in said
    for group in groups():
        if group in raw:
            for name, option in options(group).items():
                assert len(options(group)) == 1 or f"{group}={name} " in said
                assert len(options(group)) == 1 or option.title in said
    assert "_base" not in said
    assert all(len(line) < 250 for line in said.splitlines())


def test_help_shows_the_config_that_the_command_would_have(capsys):
    assert command.main(["train", "model=resnet50", "seed=3", "-h"]) == 0
    said = capsys.readouterr().out
    assert "  model.name=resnet50  #" in said
    assert "  seed=3  # whole number from 0 up" in said


def test_files_of_ones_own_keep_to_the_keys_too(tmp_path, capsys):
    (tmp_path / "experiment").mkdir()
    mine = tmp_path / "experiment" / "mine.yaml"
    mine.write_text("# @package _global_\nsplit: {layr: 5, images: few}\n")
    words = ["train", f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine"]
    assert command.main(words) == 1
    assert capsys.readouterr().err == (
        "error: split.images=few is none of null, whole number from 4 up\n"
        "split.layr=5 is no key; did you mean split.layer?\n"
    )


def test_a_refusal_imports_nothing_heavy(tmp_path):
    heavy = ("torch", "lightning", "wandb", "numpy", "matplotlib")
    program = (
        "import sys\nfrom isplit.__main__ import main\n"
        "status = main(['train', 'seed=-1'])\n"
        f"print(status, [name for name in {heavy} if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert ran.stdout == "1 []\n"
    assert ran.stderr.startswith("error: seed=-1 is no whole number")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "about"),
    [(["train", "data=notmnist"], "vgg16 on notmnist"), (["analyze"], "study of agreement")],
)
def test_a_command_says_what_it_is_about_before_torch_is_imported(tmp_path, words, about):
    (tmp_path / "torch.py").write_text("raise SystemExit('torch is imported')")
    ran = subprocess.run(
        [sys.executable, "-m", "isplit", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert ran.stderr == f"{about}\ntorch is imported\n"


@pytest.mark.parametrize("words", [[], ["trian"], ["--help"]])
def test_the_command_says_what_there_is(words, capsys):
    assert command.main(words) == (0 if words == ["--help"] else 2)
    said = capsys.readouterr()
    assert "isplit points MODEL" in said.out + said.err


def test_the_points_of_a_model_are_those_of_the_graph(capsys):
    assert command.main(["points", "vgg11", "data.image_size=32"]) == 0
    assert "13 split points of vgg11 at 32 px" in capsys.readouterr().out


@pytest.fixture
def own(tmp_path):
    """A folder of one's own files, with a name that Hydra would read as more than a name."""
    folder = tmp_path / "it's, [mine]"
    for name, text in OWN.items():
        file = folder / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


OWN = {
    "device/board": "defaults: [_base]\nname: board\nseconds_per_dense_mac: 1e-9\n"
    "seconds_per_depthwise_mac: null\nseconds_per_layer: 0\nruntime: ''\n",
    "experiment/quick": "# @package _global_\nseed: 7\n",
    "model/narrow": "defaults: [vgg16_small]\nwidth: 0.125\n",
    "requirement/strict": "defaults: [none]\np95_ms: 5\n",
    "data/easy": "defaults: [letters]\ndifficulty: 0.1\n",
    "codec/coarse": "defaults: [rle]\nbits: 2\n",
}
CHOICES = [
    "analyze device=board server=board",
    "analyze requirement=strict",
    *(f"train {name.replace('/', '=')}" for name in OWN if name[0] in "emdc" and "dev" not in name),
]


@pytest.mark.parametrize("words", CHOICES)
def test_a_file_of_ones_own_is_as_good_a_choice_as_any(words, own):
    with pytest.raises(pytest.fail.Exception, match="it was let through"):
        command.main([*words.split(), f"--config-dir={own}", "logger=none"])


@pytest.mark.parametrize("job", ["train", "analyze"])
def test_files_of_ones_own_are_among_the_choices_that_are_said(job, own, capsys):
    choice = {"train": "model", "analyze": "device"}[job]
    assert command.main([job, "--help", f"--config-dir={own}"]) == 0
    file = next((own / choice).iterdir())
    assert f"  {choice}={file.stem}".ljust(32) + f"yours: {file}" in capsys.readouterr().out
    assert command.main([job, f"--config-dir={own}", f"{choice}={file.stem}s"]) == 1
    assert capsys.readouterr().err.endswith(f"; did you mean {file.stem}?\n")


def test_a_file_that_would_be_hidden_is_refused(own, capsys):
    hidden = own / "device" / "pi4.yaml"
    hidden.write_text("name: mine\n", encoding="utf-8")
    assert command.main(["analyze", "device=pi4", f"--config-dir={own}"]) == 1
    said = capsys.readouterr().err
    assert said == f"error: {hidden} has the name of a file of isplit: give it another one\n"


@pytest.mark.parametrize("name", ["train", "analyze"])
def test_jobs_that_start_in_one_second_have_folders_of_their_own(name):
    """As those of a queue's array do."""
    text = (ROOT / "conf" / f"{name}.yaml").read_text(encoding="utf-8")
    times = re.findall(r"\$\{now:(.*?)\}", text)
    assert times
    assert all(time.endswith("%f") for time in times)
