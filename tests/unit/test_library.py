"""The library: any net and any labelled batches, with the stages and the files of train.py."""

import itertools
import math
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import isplit
from isplit.graph import split_points, trace
from isplit.importance import importance_curves, select
from isplit.stages import Recipe
from isplit.stages.modules import Autoencoder

QUIET = {"progress": "none"}


@pytest.fixture
def net():
    """A classifier of one-channel images that are not square."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)),
    ).eval()


@pytest.fixture
def batches():
    torch.manual_seed(1)
    return [(torch.randn(8, 1, 12, 16), torch.arange(8) % 3) for _ in range(3)]


def test_the_ranking_is_the_curve_of_the_method(net, batches):
    ranking = isplit.rank(net, batches, predictor="cui")
    traced = trace(net, torch.zeros(1, 1, 12, 16))
    points = split_points(traced)
    curve = importance_curves(traced, points, batches, ["a", "b", "c"], ["cui"])["cui"]
    assert [p.value for p in ranking.points] == pytest.approx(curve.values, rel=1e-5)
    assert ranking.best.name == select(curve, "auto")[0].name
    by_value = sorted(ranking.points, key=lambda p: -p.value)
    assert [p.rank for p in by_value] == [1, 2, 3]
    lines = repr(ranking).splitlines()
    assert lines[0].split()[:2] == ["rank", "cui"]
    assert lines[1].split()[0] == str(ranking.points[0].rank)
    assert lines[-2].startswith(f"best: {ranking.best.label} (")
    assert max(map(len, lines[:4])) < 80
    assert ranking.plot().axes


@pytest.mark.parametrize("kind", [list, iter, lambda b: (one for one in b), "loader", "lists"])
def test_any_iterable_of_batches_is_ranked_alike(net, batches, kind):
    def given():
        if kind == "loader":
            images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
            return DataLoader(TensorDataset(images, labels), batch_size=5)
        return [list(b) for b in batches] if kind == "lists" else kind(batches)

    plain = isplit.rank(net, batches)
    assert isplit.rank(net, given()).curve == plain.curve


def test_the_model_stays_as_it_is(net, batches):
    net.train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    cut = isplit.split(net, isplit.rank(net, batches).best)
    cut.fit(batches, batches, **QUIET)
    assert all(torch.equal(before[n], tensor) for n, tensor in net.state_dict().items())
    assert all(module.training for module in net.modules())


class Keeping(nn.Module):
    """Counts its calls, and keeps what it saw last."""

    def __init__(self, net):
        super().__init__()
        self.net, self.seen, self.calls = net, None, 0

    def forward(self, x):
        self.seen, self.calls = x, self.calls + 1
        return self.net(x)


def test_what_a_model_keeps_and_what_compiles_it_stay(net, batches):
    net.compile(backend="eager")
    model = Keeping(torch.compile(net, backend="eager"))
    isplit.split(model, isplit.rank(model, batches).best)
    assert (model.seen, model.calls) == (None, 0)
    assert model.net._orig_mod is net
    assert net._compiled_call_impl is not None


@pytest.mark.filterwarnings("ignore:.*weight_norm")
def test_a_model_with_computed_weights_is_split_before_it_was_used(net, batches):
    nn.utils.weight_norm(net[0])
    cut = isplit.split(net, isplit.rank(net, batches).best)
    assert net[0].weight.requires_grad
    assert torch.equal(cut.tail(cut.head(batches[0][0])), net(batches[0][0]))


@pytest.mark.parametrize("predictor", ["probe", "cui"])
@pytest.mark.parametrize("no_gradients", [torch.no_grad, torch.inference_mode])
def test_a_caller_may_have_gradients_off(net, batches, predictor, no_gradients):
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    loader = DataLoader(TensorDataset(images, labels), batch_size=8)
    with no_gradients():
        ranking = isplit.rank(net, loader, predictor)
        cut = isplit.split(net, ranking.best)
        cut.fit(loader, loader, **QUIET)
    assert ranking.curve == isplit.rank(net, loader, predictor).curve
    assert cut.fitted


def test_volumes_are_ranked_split_and_trained(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv3d(2, 6, 3), nn.ReLU(inplace=True), nn.Conv3d(6, 4, 3), nn.ReLU(inplace=True)),
        *(nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3)),
    )
    batches = [(torch.randn(12, 2, 6, 7, 8), torch.arange(12) % 3)] * 2
    ranking = isplit.rank(net, batches)
    assert [point.shape for point in ranking.points] == [(6, 4, 5, 6), (4, 2, 3, 4)]
    cut = isplit.split(net, ranking.points[0], rate=0.5)
    assert cut.encode(batches[0][0]).shape == (12, 3, 4, 5, 6)
    cut.fit(batches, batches, **QUIET)
    cut.save(tmp_path)
    assert torch.equal(isplit.load(tmp_path, net)(batches[0][0]), cut(batches[0][0]))


def test_head_and_tail_are_the_model_at_every_point(net, batches):
    images = batches[0][0]
    for point in isplit.rank(net, batches, "depth").points:
        cut = isplit.split(net, point, rate=0.5)
        assert torch.equal(cut.tail(cut.head(images)), net(images))
        kept = cut.encode(images)[0].numel() / math.prod(point.shape)
        assert kept == pytest.approx(1 - cut.bottleneck.achieved_rate)
        assert torch.equal(cut(images), cut.decode(cut.encode(images)))


def test_fit_gives_the_accuracies_that_the_split_has(net, batches, tmp_path):
    cut = isplit.split(net, isplit.rank(net, batches).points[1], rate=0.5)
    loader = DataLoader(TensorDataset(*map(torch.cat, zip(*batches, strict=True))), 8, shuffle=True)
    found = cut.fit(loader, [loader.dataset.tensors], **QUIET)
    images, labels = loader.dataset.tensors
    right = [float((m(images).argmax(1) == labels).double().mean()) for m in (net, cut)]
    assert right == pytest.approx([found.baseline, found.after_finetune])
    assert found.test_images == 24
    cut.save(tmp_path)
    again = isplit.load(tmp_path, net)
    assert torch.equal(again(images), cut(images))
    with pytest.raises(
        ValueError, match=r"this split is trained: isplit.split.model, point. makes"
    ):
        cut.fit(loader, batches)


def test_the_same_seed_gives_the_same_bits_and_another_others(net, batches):
    best = isplit.rank(net, batches).best
    loader = DataLoader(TensorDataset(*map(torch.cat, zip(*batches, strict=True))), 8, shuffle=True)
    made = []
    for seed in (0, 0, 1):
        torch.rand(1)  # where the caller's random numbers stand does not matter
        cut = isplit.split(net, best)
        state = torch.get_rng_state()
        cut.fit(loader, batches, **QUIET, seed=seed)
        assert torch.equal(state, torch.get_rng_state())
        made.append(torch.cat([p.flatten() for p in cut.parameters()]))
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_a_last_batch_of_one_image_is_left_out_of_training(net, batches):
    one = (batches[0][0][:1], batches[0][1][:1])
    cut = isplit.split(net, isplit.rank(net, batches).points[-1])
    assert cut.fit([*batches, one], [*batches, one], **QUIET).test_images == 25


def test_what_is_said_of_memory_is_of_the_loaders_batches(net, batches, monkeypatch, caplog):
    monkeypatch.setattr("isplit.stages.memory.free_bytes", lambda device: 100_000)
    net[0] = nn.Conv2d(3, 6, 3)
    batches = [(images[..., :12].expand(-1, 3, -1, -1), labels) for images, labels in batches]
    isplit.split(net, isplit.rank(net, batches).best).fit(batches, batches, **QUIET)
    (said,) = [text for text in caplog.messages if "GB are free" in text]
    assert said.startswith("finetune: a step with stage.finetune.batch_size=8 takes")


def test_without_progress_a_training_says_nothing(net, batches, caplog):
    caplog.set_level("INFO")
    isplit.split(net, isplit.rank(net, batches, "depth").best).fit(batches, batches, **QUIET)
    assert not caplog.messages


def test_ctrl_c_raises_and_can_be_had_again(net, batches, monkeypatch):
    handler = signal.getsignal(signal.SIGINT)

    def interrupted(self, batch, index):
        raise KeyboardInterrupt

    monkeypatch.setattr(Autoencoder, "training_step", interrupted)
    cut = isplit.split(net, isplit.rank(net, batches).best)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(batches, batches, **QUIET)
    assert signal.getsignal(signal.SIGINT) == handler


IMAGES, LABELS = torch.zeros(4, 1, 12, 16), torch.arange(4) % 3
SENTENCE = (
    r"\(images, labels\) are needed, torch.float32 and one torch.int64 class index each, 0 to"
)


@pytest.mark.parametrize(
    ("batch", "found"),
    [
        ({"image": IMAGES, "label": LABELS}, "<class 'dict'>"),
        ((IMAGES, LABELS, LABELS), r"\(torch.int64, 4\), \(torch.int64, 4\)"),
        ((IMAGES, torch.eye(4)), r"\(torch.float32, 4, 4\).*labels.argmax"),
        ((IMAGES, torch.eye(4).long()), r"\(torch.int64, 4, 4\).*labels.argmax"),
        ((IMAGES, LABELS[:3]), r"\(torch.int64, 3\)"),
        ((IMAGES, LABELS - 1), r"\(torch.int64, 4\)"),
        ((IMAGES, LABELS.float()), r"\(torch.float32, 4\)"),
        ((IMAGES.byte(), LABELS), r"\(torch.uint8, 4, 1, 12, 16\)"),
        ((IMAGES.numpy(), LABELS), r"\(dtype\('float32'\), 4, 1, 12, 16\)"),
        ((IMAGES[0], 2), "<class 'int'>"),
        ((IMAGES[:0], LABELS[:0]), r"\(torch.float32, 0, 1, 12, 16\)"),
        ((torch.tensor(1.0), LABELS), r"\(torch.float32,\)"),
        (IMAGES, r"\[\(torch.float32, 4, 1, 12, 16\)\]"),
    ],
)
def test_other_batches_get_a_sentence(net, batches, batch, found):
    with pytest.raises(ValueError, match=f"^loader gives .*{SENTENCE} classes - 1") as said:
        isplit.rank(net, [batch])
    said.match(found)
    cut = isplit.split(net, isplit.rank(net, batches, "depth").best)
    with pytest.raises(ValueError, match=f"^train_loader gives .*{SENTENCE} 2") as said:
        cut.fit([*batches, batch], batches)
    said.match(found)
    with pytest.raises(ValueError, match=f"^val_loader gives .*{SENTENCE} 2"):
        cut.fit(batches, [batch])
    assert not cut.fitted


def test_images_of_another_shape_are_refused(net, batches):
    other = (torch.zeros(4, 1, 16, 12), LABELS)
    shapes = r"images of shape \(1, 16, 12\) where others have \(1, 12, 16\)"
    with pytest.raises(ValueError, match=f"^loader gives {shapes}"):
        isplit.rank(net, [*batches, other])
    cut = isplit.split(net, isplit.rank(net, batches, "depth").best)
    with pytest.raises(ValueError, match=f"^train_loader gives {shapes}"):
        cut.fit([other], batches)
    with pytest.raises(ValueError, match=f"^val_loader gives {shapes}"):
        cut.fit(batches, [other])


@pytest.mark.parametrize("images", [0, -1, "8", 2.5])
def test_no_number_of_images_is_refused(net, batches, images):
    with pytest.raises(ValueError, match=rf"^images={images!r} is neither None \(all\) nor a"):
        isplit.rank(net, batches, images=images)


@pytest.mark.parametrize("model", ["half", "double", "meta"])
def test_weights_of_another_kind_are_refused(net, batches, model):
    other = net.to("meta") if model == "meta" else getattr(net, model)()
    with pytest.raises(ValueError, match=r"^model=Sequential: 0.weight is (torch.flo|on the meta)"):
        isplit.rank(other, batches)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.jit.script])
def test_a_wrapped_model_is_refused(net, batches, wrap):
    with pytest.raises(ValueError, match=r"^model=\w+: it is (a DataParallel|TorchScript)"):
        isplit.rank(wrap(net), batches)


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.LogSoftmax(1)])
def test_probabilities_in_the_place_of_logits_are_said(net, batches, last, caplog):
    isplit.rank(nn.Sequential(net, last), batches, "depth")
    said = [text for text in caplog.messages if "ends with a softmax" in text]
    assert len(said) == isinstance(last, nn.Softmax)


def test_a_model_that_cannot_be_copied_is_refused(net, batches):
    net[0].lock = threading.Lock()
    with pytest.raises(ValueError, match=r"^model cannot be copied: TypeError: cannot pickle"):
        isplit.rank(net, batches)


def test_words_that_are_no_choice_are_refused(net, batches):
    cut = isplit.split(net, isplit.rank(net, batches, "depth").best)
    with pytest.raises(ValueError, match=r"^progress='bars' is none of auto, bar, lines, none"):
        cut.fit(batches, batches, progress="bars")


@pytest.mark.parametrize(
    ("stage", "values", "message"),
    [
        ("autoencoder", {"optimizer": "none"}, r"optimizer=none is none of adamw, adam, sgd"),
        ("autoencoder", {"loss": "cross_entropy"}, r"loss=cross_entropy is none of mse, distill"),
        ("finetune", {"schedule": "none"}, r"schedule=none is none of onecycle, cosine, constant"),
        ("finetune", {"loss": "hinge"}, r"loss=hinge is none of cross_entropy, mse, distill, both"),
        ("finetune", {"epochs": 1.5}, r"epochs=1.5 is no whole number from 0 up"),
        ("finetune", {"learning_rate": "1e-3"}, r"learning_rate=.*1e-3.* is no number above 0"),
    ],
)
def test_what_a_stage_does_not_take_is_refused(net, batches, stage, values, message):
    cut = isplit.split(net, isplit.rank(net, batches, "depth").best)
    setattr(cut, stage, replace(getattr(cut, stage), **values))
    with pytest.raises(ValueError, match=rf"^{stage}\.{message}"):
        cut.fit(batches, batches, **QUIET)


def test_numbers_of_numpy_are_taken(net, batches):
    cut = isplit.split(net, isplit.rank(net, batches, "depth").best, np.float64(0.5))
    cut.finetune = replace(cut.finetune, epochs=np.int64(1), learning_rate=np.float32(1e-3))
    assert cut.fit(batches, batches, **QUIET).test_images == 24


def test_labels_beyond_the_models_answers_are_refused(net, batches):
    wrong = [(IMAGES, LABELS + 1)]
    cut = isplit.split(net, isplit.rank(net, wrong, "probe").best)  # which looks at no labels
    with pytest.raises(ValueError, match=r"val_loader gives .*class index each, 0 to 2"):
        cut.fit(batches, wrong)
    with pytest.raises(ValueError, match=r"a label is outside 0..2"):
        isplit.rank(net, wrong, "cui")


def test_loaders_that_give_nothing_or_only_once_are_refused(net, batches):
    used = iter(batches)
    list(used)
    for empty in ([], used):
        with pytest.raises(
            ValueError, match="loader gives no batches: it is empty, or a generator read"
        ):
            isplit.rank(net, empty)
    cut = isplit.split(net, isplit.rank(net, batches, "depth").best)
    with pytest.raises(ValueError, match="train_loader gives no batches"):
        cut.fit([], batches)
    with pytest.raises(ValueError, match="val_loader can be read only once: every epoch reads"):
        cut.fit(batches, (b for b in batches))


def test_images_class_by_class_are_refused_where_more_would_follow(net, batches):
    images = torch.cat([images for images, _ in batches])
    labels = torch.arange(24) // 8
    loader = DataLoader(TensorDataset(images, labels), batch_size=4)
    with pytest.raises(ValueError, match=r"images=9 of loader come class by class, 0 to 1: give"):
        isplit.rank(net, loader, images=9)
    whole = isplit.rank(net, loader, images=None)
    assert whole.curve == isplit.rank(net, loader, images=24).curve
    assert whole.curve.num_images == 24
    for grouped in (labels.flip(0), torch.tensor([2, 0, 1, 0])[torch.arange(24) // 6]):
        with pytest.raises(ValueError, match=r"images=20 of loader come class by class, 2 to 0"):
            isplit.rank(net, [(images, grouped)], images=20)
    endless = ((images, torch.arange(24) % 3) for _ in itertools.count())
    assert isplit.rank(net, endless, images=30).curve.num_images == 30


def test_in_which_order_all_images_come_hardly_matters():
    """Else the probe fits its codes to some classes and judges them on others."""
    torch.manual_seed(0)
    labels = torch.arange(320) // 32
    images = torch.randn(10, 1, 8, 8)[labels] + 0.1 * torch.randn(320, 1, 8, 8)
    net = nn.Sequential(
        *(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 8, 3)),
        *(nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10)),
    )
    net(images)
    by_class = isplit.rank(net, [(images, labels)]).curve
    shuffled = torch.randperm(320)
    for value, other in zip(
        by_class.values,
        isplit.rank(net, [(images[shuffled], labels[shuffled])]).curve.values,
        strict=True,
    ):
        assert value == pytest.approx(other, rel=0.25)


def test_errors_name_parameters(net, batches):
    with pytest.raises(ValueError, match=r"^predictor='cu' is not one of cui, gradient"):
        isplit.rank(net, batches, predictor="cu")
    with pytest.raises(ValueError, match=r"^rate=1 is not between 0 and 1"):
        isplit.rank(net, batches, rate=1)
    with pytest.raises(ValueError, match=r"^rate='90%' is not between 0 and 1"):
        isplit.rank(net, batches, rate="90%")
    with pytest.raises(ValueError, match=r"^model=function: it is no torch.nn.Module"):
        isplit.rank(lambda x: x, batches)
    with pytest.raises(ValueError, match=r"^images: 1 images are too few"):
        isplit.rank(net, [(batches[0][0][:1], batches[0][1][:1])])
    with pytest.raises(ValueError, match=r"^loader gives .*class 'torch.nn.modules.conv.Conv2d'"):
        isplit.rank(batches, net)
    with pytest.raises(ValueError, match=r"^model gives \(1, 8, 1, 1\) for one image, not"):
        isplit.rank(net[:7], batches)
    best = isplit.rank(net, batches).best
    with pytest.raises(ValueError, match=r"^point='2': isplit.rank\(model, loader\) first"):
        isplit.split(net, "2")
    other = nn.Sequential(nn.Conv2d(1, 7, 3), *net[2:4], nn.Conv2d(7, 8, 3), *net[5:])
    with pytest.raises(ValueError, match=r"is not of this model: rank it first"):
        isplit.split(other, best)
    with pytest.raises(ValueError, match=r"^rate=0 is not between"):
        isplit.split(net, best, rate=0)
    with pytest.raises(
        ValueError, match=r"nothing is trained yet: fit\(train_loader, val_loader\)"
    ):
        isplit.split(net, best).save("never")
    cut = isplit.split(net, best)
    cut.autoencoder = Recipe(epochs=3, learning_rate=1e30, loss="mse")
    with pytest.raises(ValueError, match=r"a lower autoencoder.learning_rate, or"):
        cut.fit(batches, batches, **QUIET)


def test_a_frame_has_a_row_for_each_point(net, batches, monkeypatch):
    ranking = isplit.rank(net, batches)
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "pandas", None)
        with pytest.raises(ModuleNotFoundError, match=r"to_frame\(\) needs pandas: pip install"):
            ranking.to_frame()
    pytest.importorskip("pandas", reason="isplit needs no pandas: pip install pandas")
    frame = ranking.to_frame()
    assert list(frame["value"]) == [point.value for point in ranking.points]


def test_what_is_imported_before_it_is_used():
    program = """
import sys, isplit, isplit.codec
heavy = {"torch", "lightning", "hydra", "wandb", "matplotlib", "omegaconf", "torchvision"}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
assert {"Ranking", "Split", "load", "rank", "split"} <= set(dir(isplit))
assert isplit.rank and "torch" in sys.modules
assert not {"hydra", "wandb"} & sys.modules.keys()
try: isplit.rnak
except AttributeError as error: print(error)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.stdout, ran.returncode) == ("module 'isplit' has no attribute 'rnak'\n", 0), (
        ran.stderr
    )


def test_a_fit_that_failed_can_be_had_again(net, batches, tmp_path):
    cut = isplit.split(net, isplit.rank(net, batches).best)
    begun = {name: tensor.clone() for name, tensor in cut.state_dict().items()}
    usual, cut.autoencoder = cut.autoencoder, Recipe(3, learning_rate=1e30, loss="mse")
    with pytest.raises(ValueError, match="may keep the training finite"):
        cut.fit(batches, batches, **QUIET)
    assert not cut.fitted
    assert not cut.training
    cut.autoencoder = Recipe(0, learning_rate=1.0, loss="mse")
    with pytest.raises(ValueError, match=r"autoencoder\.epochs=0"):
        cut.fit(batches, batches, **QUIET)
    assert all(torch.equal(tensor, begun[name]) for name, tensor in cut.state_dict().items())
    with pytest.raises(ValueError, match="nothing is trained yet"):
        cut.save(tmp_path)
    cut.autoencoder = usual
    cut.fit(batches, batches, **QUIET)
    cut.save(tmp_path)
