"""The three stages on a tiny net: what moves, what stays, and what an interruption changes."""

import copy
import os
import signal
from collections import OrderedDict
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from isplit import stages
from isplit.bottleneck import make_bottleneck
from isplit.data import build_data
from isplit.graph import split_at, split_points, trace
from isplit.model import SplitModel
from isplit.stages import (
    Engine,
    FineTuning,
    Preempted,
    Recipe,
    Store,
    Workbench,
    preemptible,
    seeded,
)
from isplit.stages.epochs import BEST
from isplit.stages.fit import fit
from isplit.stages.modules import Classifier, Tuner
from isplit.stages.recipe import divergence, squared_error
from isplit.stages.runner import _halfway

RECIPE = Recipe(epochs=3, learning_rate=2e-3, batch_size=32)
TUNING = FineTuning(epochs=3, learning_rate=2e-3, batch_size=32)


class InterruptError(Exception):
    """Stands for the end of the process."""


class StopAt(torch.nn.Module):
    """Identity that raises at its n-th training step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.left = step

    def forward(self, x):
        self.left -= self.training
        if self.left == 0:
            raise InterruptError
        return x


class SignalAt(torch.nn.Module):
    """Identity that gives its process a signal at the n-th training step."""

    def __init__(self, step: int, number: int) -> None:
        super().__init__()
        self.left, self.number = step, number

    def forward(self, x):
        self.left -= self.training
        if self.left == 0:
            os.kill(os.getpid(), self.number)
        return x


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return build_data(
        "letters",
        root=None,
        image_size=16,
        classes=["A", "B", "C"],
        images_per_class=60,
        validation_fraction=0.2,
        augment="none",
        mean=0.5,
        std=0.25,
        max_corrupt=0,
        download=False,
        num_workers=0,
        cache_dir=tmp_path_factory.mktemp("cache"),
        seed=0,
        difficulty=0.25,
        train_images=600,
        test_images=300,
    )


def bench(data, root, **keys):
    return Workbench(data, Store(root, {"job": 0}), Engine(), seed=0, **keys)


def tiny_net(first: nn.Module | None = None) -> nn.Module:
    with seeded(0, "net"):
        return nn.Sequential(
            OrderedDict(
                stop=first or nn.Identity(),
                conv1=nn.Conv2d(3, 8, 3, stride=2, padding=1),
                norm=nn.BatchNorm2d(8),
                relu=nn.ReLU(),
                conv2=nn.Conv2d(8, 8, 3, padding=1),
                relu2=nn.ReLU(),
                drop=nn.Dropout(0.2),
                flat=nn.Flatten(),
                out=nn.Linear(8 * 8 * 8, 3),
            )
        )


def bits(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def split_net(net: nn.Module) -> tuple[SplitModel, object]:
    traced = trace(net, torch.zeros(2, 3, 16, 16))
    point = split_points(traced)[0]
    head, tail = split_at(copy.deepcopy(traced), point)
    with seeded(0, "bottleneck"):
        return SplitModel(head, make_bottleneck(point, 0.8), tail), point


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    net, root = tiny_net(), tmp_path_factory.mktemp("store")
    stored = stages.baseline(bench(data, root), net, {"net": "tiny"}, RECIPE)
    return net, stored


def test_the_baseline_learns_and_keeps_its_best_epoch(trained):
    _, stored = trained
    history = [row["baseline/val_accuracy"] for row in stored.made.facts["history"]]
    assert len(history) == 1 + RECIPE.epochs  # the first is before any step
    assert stored.made.facts["test"]["accuracy"] > 0.45  # a third by chance


@pytest.mark.parametrize("step", [1, 3, 5, 7, 10, 12])
def test_an_interrupted_baseline_ends_with_the_same_bits(data, tmp_path, trained, step):
    with pytest.raises(InterruptError):
        stages.baseline(bench(data, tmp_path), tiny_net(StopAt(step)), {"net": "tiny"}, RECIPE)
    net = tiny_net()
    stored = stages.baseline(bench(data, tmp_path), net, {"net": "tiny"}, RECIPE)
    assert same(bits(net), bits(trained[0]))
    assert stored.made.facts == trained[1].made.facts


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1], ids=["TERM", "USR1"])
@pytest.mark.parametrize("step", [2, 12])
def test_a_preempted_baseline_stops_after_the_step_and_ends_with_the_same_bits(
    data, tmp_path, trained, step, number
):
    asked = SignalAt(step, number)
    with pytest.raises(Preempted), preemptible():
        stages.baseline(bench(data, tmp_path), tiny_net(asked), {"net": "tiny"}, RECIPE)
    assert asked.left == 0
    net = tiny_net()
    stored = stages.baseline(bench(data, tmp_path), net, {"net": "tiny"}, RECIPE)
    assert same(bits(net), bits(trained[0]))
    assert stored.made.facts == trained[1].made.facts


def test_a_checkpoint_that_cannot_be_read_makes_the_stage_begin_anew(data, tmp_path, trained):
    with pytest.raises(InterruptError):
        stages.baseline(bench(data, tmp_path), tiny_net(StopAt(8)), {"net": "tiny"}, RECIPE)
    (checkpoint,) = tmp_path.glob("baseline/*.part/last.ckpt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    net = tiny_net()
    stages.baseline(bench(data, tmp_path), net, {"net": "tiny"}, RECIPE)
    assert same(bits(net), bits(trained[0]))


def test_zero_epochs_leave_the_net_as_it_is(data, tmp_path, monkeypatch):
    monkeypatch.setattr("isplit.stages.runner.say_if_too_large", pytest.fail)
    net = tiny_net()
    before = bits(net)
    recipe = Recipe(epochs=0, learning_rate=1.0)
    stored = stages.baseline(bench(data, tmp_path), net, {}, recipe)
    assert same(bits(net), before)
    assert stored.made.facts["history"] == []


def test_patience_ends_a_stage_that_gets_no_better(data, tmp_path):
    recipe = Recipe(epochs=9, learning_rate=0.0, batch_size=32, schedule="constant", patience=2)
    net = tiny_net()
    net.norm.momentum = 0.0  # nothing at all moves
    stored = stages.baseline(bench(data, tmp_path), net, {}, recipe)
    assert len(stored.made.facts["history"]) == 1 + 3


def test_what_wants_no_gradient_stays_bit_identical_in_the_baseline(data, tmp_path):
    net = tiny_net()
    net.requires_grad_(False)
    net.out.requires_grad_(True)
    before = bits(net)
    stages.baseline(bench(data, tmp_path), net, {}, RECIPE)
    moved = {name for name, tensor in bits(net).items() if not torch.equal(tensor, before[name])}
    assert moved == {"out.weight", "out.bias"}


def test_a_net_of_which_nothing_is_trainable_is_refused(data, tmp_path):
    net = tiny_net().requires_grad_(False)
    with pytest.raises(ValueError, match=r"requires_grad=False: stage\.baseline\.trains=nothing"):
        stages.baseline(bench(data, tmp_path), net, {}, RECIPE)


@pytest.mark.parametrize("frozen", [True, False])
def test_statistics_without_weights_move_only_behind_what_trains(data, tmp_path, frozen):
    net = tiny_net()
    net.norm = nn.BatchNorm2d(8, affine=False)
    for part in (net.conv1, net.conv2):
        part.requires_grad_(not frozen)
    before = bits(net)
    stages.baseline(bench(data, tmp_path), net, {}, RECIPE)
    assert torch.equal(net.norm.running_mean, before["norm.running_mean"]) is frozen


def test_a_training_goes_on_with_its_best_epoch_where_the_store_was_moved(data, tmp_path):
    recipe = Recipe(epochs=3, learning_rate=0.02, batch_size=32, schedule="constant")
    whole = stages.baseline(bench(data, tmp_path / "whole"), tiny_net(), {}, recipe)
    values = [row["baseline/val_accuracy"] for row in whole.made.facts["history"]]
    best = values.index(max(values))
    assert 1 <= best < 3
    stop = tiny_net(StopAt(best * -(-data.size("train") // 32) + 1))
    with pytest.raises(InterruptError):
        stages.baseline(bench(data, tmp_path / "here"), stop, {}, recipe)
    (tmp_path / "here").rename(tmp_path / "there")
    moved = stages.baseline(bench(data, tmp_path / "there"), tiny_net(), {}, recipe)
    assert same(moved.made.weights, whole.made.weights)


def test_a_net_that_is_not_finite_before_its_first_step_is_trained(data, tmp_path):
    class Unready(nn.Identity):
        used = False

        def forward(self, x):
            self.used |= self.training
            return x if self.used else x * torch.nan

    stored = stages.baseline(bench(data, tmp_path), tiny_net(Unready()), {}, RECIPE)
    first, *others = stored.made.facts["history"]
    assert "baseline/val_loss" not in first
    assert all("baseline/val_loss" in row for row in others)


UNMOVED = {"learning_rate": 0.0, "batch_size": 32, "schedule": "constant"}


def test_a_stage_that_was_best_at_first_goes_on_after_its_last_epoch(data, tmp_path):
    recipe = Recipe(epochs=5, **UNMOVED)
    per_epoch = -(-data.size("train") // 32)
    stop = tiny_net(StopAt(4 * per_epoch + 1))
    with pytest.raises(InterruptError):
        stages.baseline(bench(data, tmp_path), stop, {}, recipe)
    again = tiny_net(StopAt(per_epoch + 1))  # one epoch is left
    stored = stages.baseline(bench(data, tmp_path), again, {}, recipe)
    assert [row["epoch"] for row in stored.made.facts["history"]] == [-1, 0, 1, 2, 3, 4]


def test_a_stage_that_had_stopped_trains_no_further(data, tmp_path):
    """Interrupted while it was tested: what there is to wait for is over."""
    recipe = Recipe(epochs=9, patience=2, **UNMOVED)
    made = []
    for _ in range(2):
        net = tiny_net()
        net.norm.momentum = 0.0
        stage = Classifier("baseline", net, data.num_classes, recipe)
        work = bench(data, tmp_path)
        images = work.training_images(recipe), work.images("validation")
        made.append(fit(stage, *images, tmp_path / "stage", work.engine, 0))
    assert made[0] == made[1]
    assert len(made[0]) == 1 + 3


class Looped(nn.Module):
    """One convolution, before the cut and behind it."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.out = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Linear(3, 3)

    def forward(self, x):
        for _ in range(3):
            x = self.relu(self.conv(x))
        return self.out(x.mean((2, 3)))


def test_weights_on_both_sides_of_the_cut_take_one_step():
    traced = trace(Looped(), torch.zeros(2, 3, 16, 16))
    point = split_points(traced)[1]
    head, tail = split_at(traced, point)
    split = SplitModel(head, make_bottleneck(point, 0.5), tail)
    tuner = Tuner("finetune", split, 3, TUNING)
    tuner._trainer = SimpleNamespace(estimated_stepping_batches=10)
    groups = tuner.configure_optimizers()["optimizer"].param_groups
    given = [id(parameter) for group in groups for parameter in group["params"]]
    assert len(given) == len(set(given)) == len([*split.parameters()])


@pytest.mark.parametrize("memory", [2**30, 0], ids=["memory", "disk"])
def test_the_autoencoder_moves_the_bottleneck_alone(data, tmp_path, trained, memory):
    net, stored = trained
    split, point = split_net(net)
    head, bottleneck, tail = bits(split.head), bits(split.bottleneck), bits(split.tail)
    work = bench(data, tmp_path, feature_memory_bytes=memory)
    encoded = stages.autoencoder(work, split, point, stored, RECIPE)
    assert same(bits(split.head), head)
    assert same(bits(split.tail), tail)
    assert not same(bits(split.bottleneck), bottleneck)
    assert encoded.made.facts["nmse"] < 1
    assert not list(tmp_path.rglob("*.spill"))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_kept_features_give_the_losses_that_images_give(
    precision, data, tmp_path, trained, monkeypatch
):
    net, stored = trained
    engine = Engine(precision=precision)
    split, point = split_net(net)
    work = replace(bench(data, tmp_path / "kept"), engine=engine)
    kept = stages.autoencoder(work, split, point, stored, RECIPE)
    monkeypatch.setattr(stages.features, "compute_features", lambda *args: None)
    split, point = split_net(net)
    before = bits(split.head)
    work = replace(bench(data, tmp_path / "images"), engine=engine)
    images = stages.autoencoder(work, split, point, stored, RECIPE)
    assert kept.made.facts == images.made.facts
    assert same(kept.made.weights, images.made.weights)
    assert same(bits(split.head), before)


def test_finetuning_moves_all_parts(data, tmp_path, trained):
    net, stored = trained
    split, point = split_net(net)
    work = bench(data, tmp_path)
    encoded = stages.autoencoder(work, split, point, stored, RECIPE)
    parts = {name: bits(part) for name, part in split.named_children()}
    stages.finetune(work, split, encoded, TUNING)
    assert all(not same(bits(part), parts[name]) for name, part in split.named_children())


def test_head_and_tail_have_a_rate_of_their_own():
    new, trained = torch.nn.PReLU(), torch.nn.PReLU()
    for optimizer in ("adamw", "adam", "sgd"):
        for schedule in ("onecycle", "cosine", "constant"):
            how = {"optimizer": optimizer, "schedule": schedule, "net_learning_rate": 1e-4}
            made = replace(TUNING, **how).optimize(10, (new, 2e-3), (trained, 1e-4))
            highest = torch.zeros(2)
            for _ in range(10):
                rates = [group["lr"] for group in made["optimizer"].param_groups]
                highest = torch.maximum(highest, torch.tensor(rates))
                made["optimizer"].step()
                made["lr_scheduler"]["scheduler"].step()
            torch.testing.assert_close(highest, torch.tensor([2e-3, 1e-4]), rtol=0.02, atol=0)


def test_the_more_is_to_mend_the_faster_the_net_learns():
    auto = replace(TUNING, net_learning_rate="auto")
    rates = [auto.mending(lambda lost=p: lost).net_learning_rate for p in (0.0, 0.1, 0.4, 0.9)]
    assert rates == pytest.approx([5e-4, 5e-4, 1.2e-3, 2e-3])
    assert TUNING.mending(pytest.fail) == TUNING  # nothing is evaluated for it


def test_one_rate_is_that_of_all_and_a_part_may_be_empty():
    made = TUNING.optimize(10, (torch.nn.ReLU(), 1e-4), (torch.nn.PReLU(), 2e-3))
    (group,) = made["optimizer"].param_groups
    assert group["initial_lr"] == pytest.approx(2e-3 / 25)  # where OneCycleLR begins


@pytest.mark.parametrize("reached", [0.5, 0.7, 0.8])
def test_the_mean_of_before_and_after_is_kept_where_it_is_the_best(
    data, tmp_path, trained, monkeypatch, reached
):
    split, _ = split_net(trained[0])
    tuner = Tuner("finetune", split, data.num_classes, TUNING)
    before = {name: torch.zeros_like(value) for name, value in tuner.state_dict().items()}
    after = {name: torch.full_like(value, 2) for name, value in before.items()}
    torch.save({"state_dict": after}, tmp_path / BEST)
    monkeypatch.setattr(Workbench, "test", lambda *_: {"accuracy": 0.7})
    kept = bits(split)
    rows = [{tuner.monitor: 0.4}, {tuner.monitor: float(np.float32(reached))}]
    assert _halfway(bench(data, tmp_path), tuner, before, rows, tmp_path) == 0.7
    weights = [p for p in split.state_dict().values() if p.is_floating_point()]
    assert same(bits(split), kept) == (reached >= 0.7)
    assert all(bool((p == 1).all()) for p in weights) == (reached == 0.5)


def test_a_training_that_makes_it_worse_is_not_kept(data, tmp_path, trained):
    split, point = split_net(trained[0])
    work = bench(data, tmp_path)
    encoded = stages.autoencoder(work, split, point, trained[1], RECIPE)
    before = bits(split)
    destroying = replace(TUNING, learning_rate=30.0, schedule="constant")
    tuned = stages.finetune(work, split, encoded, destroying)
    first, *after = (row["finetune/val_accuracy"] for row in tuned.made.facts["history"])
    assert max(after) <= first
    assert same(bits(split), before)


def test_distillation_brings_the_answers_nearer_than_the_features_alone(data, tmp_path, trained):
    images = next(iter(data.loader("validation", 99)))[0]
    found = {}
    for loss in ("mse", "distill"):
        split, point = split_net(trained[0])
        recipe = replace(RECIPE, loss=loss, epochs=8)
        head, tail = bits(split.head), bits(split.tail)
        stages.autoencoder(bench(data, tmp_path), split, point, trained[1], recipe)
        assert same(bits(split.head), head)
        assert same(bits(split.tail), tail)
        split.eval()
        with torch.no_grad():
            found[loss] = float(divergence(split(images), split.tail(split.head(images))))
    assert found["distill"] < found["mse"]


def test_finetuning_after_distillation_moves_all_parts(data, tmp_path, trained):
    split, point = split_net(trained[0])
    work, recipe = bench(data, tmp_path), replace(TUNING, loss="distill")
    encoded = stages.autoencoder(work, split, point, trained[1], replace(RECIPE, loss="distill"))
    parts = {name: bits(part) for name, part in split.named_children()}
    tuned = stages.finetune(work, split, encoded, recipe)
    rows = [row["finetune/val_accuracy"] for row in tuned.made.facts["history"]]
    moved = [not same(bits(part), parts[name]) for name, part in split.named_children()]
    assert moved == [max([*rows[1:], tuned.made.facts["halfway"]]) > rows[0]] * 3


def test_a_squared_error_is_the_papers_fourth_equation():
    logits, labels = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([1, 1])
    assert squared_error(logits, labels, logits) == pytest.approx(((1 + 1) + (0 + 0)) / 2)


class Spoilt(torch.nn.Module):
    """Identity whose output is not finite in training from a step on, or in evaluation."""

    def __init__(self, step: int, value: float, *, evaluation: bool = False) -> None:
        super().__init__()
        self.left, self.value, self.evaluation = step, value, evaluation

    def forward(self, x):
        self.left -= self.training
        if self.training != self.evaluation and self.left <= 0:
            return x * self.value
        return x


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (Spoilt(7, float("nan")), r"baseline/\w+ is nan in epoch 2 of 3: .*learning_rate"),
        (Spoilt(1, float("inf")), r"baseline/\w+ is nan in epoch 1 of 3"),
        (Spoilt(7, float("nan"), evaluation=True), r"baseline/val_loss is nan in epoch 2"),
    ],
    ids=["a loss in the second epoch", "infinity", "a metric"],
)
def test_what_is_not_finite_stops_a_stage_by_its_epoch(data, tmp_path, spoilt, message):
    net = tiny_net(spoilt)
    with pytest.raises(ValueError, match=message):
        stages.baseline(bench(data, tmp_path), net, {}, RECIPE)
    assert not [path for path in (tmp_path / "baseline").iterdir() if path.suffix == ""]


def test_a_bottleneck_that_diverges_stops_too(data, trained, tmp_path):
    net, stored = trained
    split, point = split_net(net)
    steep = replace(RECIPE, learning_rate=1e30)
    with pytest.raises(ValueError, match=r"autoencoder/\w+ is (nan|inf) in epoch \d of 3"):
        stages.autoencoder(bench(data, tmp_path), split, point, stored, steep)


def test_features_that_are_all_zero_are_said(data, tmp_path):
    net = tiny_net()
    nn.init.constant_(net.norm.bias, -1e3)  # the ReLU behind it gives nothing
    stored = stages.baseline(bench(data, tmp_path), net, {}, replace(RECIPE, epochs=0))
    split, point = split_net(net)
    with pytest.raises(ValueError, match=r"^the features at this split point are 0 for every"):
        stages.autoencoder(bench(data, tmp_path), split, point, stored, RECIPE)


def test_an_edited_loss_is_another_stage(data, monkeypatch, tmp_path):
    work = bench(data, tmp_path)
    keys = []
    for loss in (nn.functional.cross_entropy, squared_error):
        monkeypatch.setitem(stages.recipe.LOSSES, "cross_entropy", loss)
        stored = stages.baseline(work, tiny_net(), {}, replace(RECIPE, epochs=0))
        keys.append(stored.fingerprint)
    assert len(set(keys)) == 2
