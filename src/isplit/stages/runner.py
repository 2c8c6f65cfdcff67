"""The stages, each read from the store or trained (I-SPLIT, section III-C).

::

    baseline      images -> net                          cross-entropy      all of the net
    autoencoder   features -> bottleneck -> features     Eq. 3              the bottleneck alone
    finetune      images -> split model -> logits        Eq. 4              end to end
    codec         the split model, its code as bytes     nothing is trained
"""

import copy
import logging
import math
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import nn
from torch.utils.data import DataLoader

from isplit.bottleneck import make_bottleneck
from isplit.codec import Codec, calibrate, from_config
from isplit.data.module import as_it_is
from isplit.evaluate import Evaluation
from isplit.model import SplitModel
from isplit.point import SplitPoint
from isplit.stages.fit import BEST, Batches, History, fit
from isplit.stages.memory import compute_features, say_if_too_large
from isplit.stages.modules import DIVERGENCE, NMSE, Autoencoder, Classifier, Tuner
from isplit.stages.recipe import LOSSES, TAUGHT, FineTuning, Recipe
from isplit.stages.sending import Sending, Wire
from isplit.stages.source import source_hash
from isplit.stages.store import Made, Stored
from isplit.stages.workbench import Workbench

log = logging.getLogger(__name__)

SENT_BY = (Sending, Wire, from_config)


def baseline(
    bench: Workbench, net: nn.Module, description: dict[str, Any], recipe: Recipe
) -> Stored:
    """The unsplit classifier: ``net`` trained as the recipe says, or its weights from the store.

    Args:
        net: receives the weights; what does not require gradients stays as it is.
        description: everything that decides how ``net`` began.
    """

    def make(folder: Path) -> Made:
        stage = Classifier("baseline", net, bench.data.num_classes, recipe)
        history = _fit(bench, stage, folder)
        facts = {"history": history, "test": bench.test(net)}
        facts["validation_accuracy"] = bench.test(net, "validation")["accuracy"]
        return Made(net.state_dict(), facts)

    what = bench.recipe("baseline", recipe, (Classifier, LOSSES[recipe.loss]), model=description)
    stored = bench.store.get_or_make("baseline", what, make)
    net.load_state_dict(stored.made.weights)
    return stored


def autoencoder(
    bench: Workbench, split: SplitModel, point: SplitPoint, baseline: Stored, recipe: Recipe
) -> Stored:
    """The bottleneck of ``split`` trained alone on the features at ``point``; Eq. 3.

    Head and tail keep every bit, BatchNorm statistics included. Where training images are not
    augmented, the features are computed once.
    """

    def make(folder: Path) -> Made:
        history = _fit_bottleneck(bench, split, point, recipe, folder)
        nmse = best_row(history, recipe)[NMSE]
        facts = {"history": history, "nmse": nmse, "test": bench.test(split)}
        return Made(split.bottleneck.state_dict(), facts)

    what = bench.recipe(
        "autoencoder",
        recipe,
        (Autoencoder, make_bottleneck),
        baseline=baseline.fingerprint,
        node=point.node,
        code_shape=split.bottleneck.code_shape,
    )
    stored = bench.store.get_or_make("autoencoder", what, make)
    split.bottleneck.load_state_dict(stored.made.weights)
    return stored


def finetune(
    bench: Workbench,
    split: SplitModel,
    encoded: Stored,
    recipe: FineTuning,
    via: Sending | None = None,
) -> Stored:
    """The split model trained end to end; Eq. 4 or cross-entropy, as the recipe says.

    It ends with the weights that are best on validation: of an epoch, from before, or half way.

    Args:
        encoded: the stage that ``split`` has its bottleneck from.
        via: what the code is sent through while it trains, its gradient as if it were not; a
            profile is that of the encoder as it begins. The test at the end is without it.
    """

    def make(folder: Path) -> Made:
        unsplit = nn.Sequential(split.head, split.tail)
        teacher = copy.deepcopy(unsplit).requires_grad_(False) if recipe.loss in TAUGHT else None
        wire = via and Wire(_calibrated(bench, split, via))
        with split.bottleneck.encoder.register_forward_hook(wire) if wire else nullcontext():
            tuning = recipe.mending(partial(_lost, bench, split))
            stage = Tuner("finetune", split, bench.data.num_classes, tuning, teacher)
            before = copy.deepcopy(stage.state_dict())
            history = _fit(bench, stage, folder)
            halfway = _halfway(bench, stage, before, history, folder) if history else None
        facts = {"history": history, "halfway": halfway, "test": bench.test(split)}
        return Made(split.state_dict(), facts | {"net_learning_rate": tuning.net_learning_rate})

    code = (Tuner, LOSSES[recipe.loss], _lost, _halfway)
    what = bench.recipe("finetune", recipe, code, autoencoder=encoded.fingerprint)
    if via:
        what |= {"through_codec": asdict(via), "codec_code": source_hash(SENT_BY)}
    stored = bench.store.get_or_make("finetune", what, make)
    split.load_state_dict(stored.made.weights)
    return stored


def coded(
    bench: Workbench, split: SplitModel, point: SplitPoint, before: Stored, sending: Sending
) -> Stored:
    """What the finished split model answers when the code of every test image is sent for real.

    Args:
        before: the stage that the weights of ``split`` are of.
    """

    def make(folder: Path) -> Made:
        wire = Wire(_calibrated(bench, split, sending))
        with split.bottleneck.encoder.register_forward_hook(wire):
            test = bench.test(split)
        elements = math.prod(split.bottleneck.code_shape)
        about = asdict(wire.measured(elements, sending.calibration_images))
        profile = wire.codec.profile and wire.codec.profile.to_json()
        return Made({}, {"history": [], "test": test, "codec": about, "profile": profile})

    inputs = {"before": before.fingerprint, "node": point.node, "sent": asdict(sending)}
    what = bench.recipe("codec", None, SENT_BY, **inputs)
    return bench.store.get_or_make("codec", what, make)


@torch.no_grad()
def _calibrated(bench: Workbench, split: SplitModel, sending: Sending) -> Codec:
    """The codec, bound to a profile of the codes of training images where it is to have one."""
    if sending.calibration_images is None:
        return sending.codec
    images, device = bench.images("train", sending.calibration_images), bench.engine.device
    encode = split.eval().to(device).encode
    codes = torch.cat([encode(batch.to(device)).cpu() for batch, _ in images])
    return sending.codec.bound(calibrate(sending.codec, codes))


def tested(stage: Stored) -> Evaluation:
    """The evaluation on the test split that a stage ended with."""
    return TypeAdapter(Evaluation).validate_python(stage.made.facts["test"])


def _fit(bench: Workbench, stage: Classifier, folder: Path) -> History:
    """Train in training mode; frozen modules stay in evaluation mode."""
    for module in stage.net.modules():
        trainable = [p.requires_grad for p in module.parameters()]
        module.train(any(trainable) or not trainable)
    train = bench.training_images(stage.recipe)
    own_part = stage.recipe.batch_size // bench.engine.team.size
    say_if_too_large(stage.name, stage.net, bench.data.image_size, own_part, bench.engine.device)
    return fit(stage, train, bench.images("validation"), folder, bench.engine, bench.seed)


def _lost(bench: Workbench, split: SplitModel) -> float:
    """Of the unsplit net's right answers on validation, the part that the bottleneck loses."""
    nets = (split, nn.Sequential(split.head, split.tail))
    after, before = (float(bench.test(net, "validation")["accuracy"]) for net in nets)
    return max(0.0, 1 - after / before) if before else 0.0


def _halfway(
    bench: Workbench, stage: Tuner, before: dict[str, Any], history: History, folder: Path
) -> float:
    """Validation accuracy of the mean of the weights before and after, kept where it is the best.

    Where little was to be mended, the steps do harm of which the mean has half, and some of their
    good (Wortsman et al. 2022, Robust fine-tuning of zero-shot models).
    """
    kept = copy.deepcopy(stage.state_dict())
    after = torch.load(folder / BEST, map_location="cpu", weights_only=True)["state_dict"]
    mean = {
        name: (value + after[name]) / 2 if value.is_floating_point() else after[name]
        for name, value in before.items()
    }
    stage.load_state_dict(mean)
    accuracy = float(bench.test(stage.net, "validation")["accuracy"])
    if accuracy <= max(row[stage.monitor] for row in history):
        stage.load_state_dict(kept)
    return accuracy


def _fit_bottleneck(
    bench: Workbench, split: SplitModel, point: SplitPoint, recipe: Recipe, folder: Path
) -> History:
    stage = Autoencoder(split.bottleneck.train(), recipe, split.head, split.tail)
    train, validation = bench.training_images(recipe), bench.images("validation")
    if not bench.data.augmented:
        kept = _kept_features(bench, split.head, point, recipe, folder)
        if kept is not None:
            stage = Autoencoder(split.bottleneck, recipe, None, split.tail)
            train, validation = kept
    return fit(stage, train, validation, folder, bench.engine, bench.seed)


def _kept_features(
    bench: Workbench, head: nn.Module, point: SplitPoint, recipe: Recipe, folder: Path
) -> tuple[Batches, Batches] | None:
    """Batches of features in the very order in which the images would come; None: no room."""
    images = {
        "train": bench.images("train", recipe.images),
        "validation": bench.images("validation"),
    }
    features = {
        split: compute_features(
            head,
            loader,
            point.shape,
            folder / f"{split}.{bench.engine.team.rank}.spill",
            bench.feature_memory_bytes // len(images),
            bench.engine.device,
        )
        for split, loader in images.items()
    }
    if any(f is None for f in features.values()):
        return None
    order = {"train": bench.training_images(recipe), "validation": images["validation"]}
    train, validation = (
        DataLoader(
            features[split],  # type: ignore[arg-type]
            batch_size=order[split].batch_size,
            sampler=order[split].sampler,
            drop_last=order[split].drop_last,
            collate_fn=as_it_is,
        )
        for split in images
    )
    return train, validation


def best_row(history: History, recipe: Recipe) -> dict[str, float]:
    """The validation of the bottleneck that an autoencoder's training ended with."""
    monitor = DIVERGENCE if recipe.loss == "distill" else NMSE
    return min(history, key=lambda row: row[monitor])
