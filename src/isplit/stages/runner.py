"""The stages, each read from the store or trained (I-SPLIT, section III-C).

::

    baseline      images -> net                          cross-entropy      all of the net
    autoencoder   features -> bottleneck -> features     Eq. 3              the bottleneck alone
    finetune      images -> split model -> logits        Eq. 4              end to end
    codec         the split model, its code as bytes     nothing is trained
"""

import copy
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import nn

from isplit.bottleneck import make_bottleneck
from isplit.evaluate import Evaluation
from isplit.model import SplitModel
from isplit.point import SplitPoint
from isplit.stages.epochs import BEST, History, best_of
from isplit.stages.features import fit_bottleneck
from isplit.stages.fit import fit
from isplit.stages.memory import say_if_too_large
from isplit.stages.modules import Autoencoder, Classifier, Tuner
from isplit.stages.recipe import LOSSES, TAUGHT, FineTuning, Recipe
from isplit.stages.sending import SENT_BY, Sending, wire_of
from isplit.stages.source import source_hash
from isplit.stages.stored import Made, Stored
from isplit.stages.workbench import Workbench


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
        history, nmse = fit_bottleneck(bench, split, point, recipe, folder)
        facts = {"history": history, "nmse": nmse, "test": bench.test(split)}
        return Made(split.bottleneck.state_dict(), facts)

    shape = split.bottleneck.code_shape
    inputs = {"baseline": baseline.fingerprint, "node": point.node, "code_shape": shape}
    what = bench.recipe("autoencoder", recipe, (Autoencoder, make_bottleneck), **inputs)
    stored = bench.store.get_or_make("autoencoder", what, make)
    split.bottleneck.load_state_dict(stored.made.weights)
    return stored


def finetune(
    bench: Workbench,
    split: SplitModel,
    encoded: Stored,
    recipe: FineTuning,
    via: Sending | None = None,
    at: str | None = None,
) -> Stored:
    """The split model trained end to end; Eq. 4 or cross-entropy, as the recipe says.

    It ends with the weights that are best on validation: of an epoch, from before, or half way.

    Args:
        encoded: the stage that ``split`` has its bottleneck from.
        via: what the code is sent through while it trains, its gradient as if it were not; a
            profile is that of the encoder as it begins. The test at the end is without it.
        at: where it is cut, if ``encoded`` does not say it.
    """

    def make(folder: Path) -> Made:
        unsplit = nn.Sequential(split.head, split.tail)
        teacher = copy.deepcopy(unsplit).requires_grad_(False) if recipe.loss in TAUGHT else None
        wire = via and wire_of(bench, split, via)
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
    what |= {"node": at} if at else {}
    if via:
        what |= {"through_codec": asdict(via), "codec_code": source_hash(SENT_BY)}
    stored = bench.store.get_or_make("finetune", what, make)
    split.load_state_dict(stored.made.weights)
    return stored


def tested(stage: Stored) -> Evaluation:
    """The evaluation on the test split that a stage ended with."""
    return TypeAdapter(Evaluation).validate_python(stage.made.facts["test"])


def _fit(bench: Workbench, stage: Classifier, folder: Path) -> History:
    """Train in training mode; frozen modules stay in evaluation mode.

    So does what has statistics alone, as a BatchNorm without weights, before all that trains.
    """
    begun = all(p.requires_grad for p in stage.net.parameters())
    for module in stage.net.modules():
        trainable = [p.requires_grad for p in module.parameters()]
        begun |= any(trainable) and not [*module.children()]
        still = not trainable and not begun and any(True for _ in module.buffers())
        module.train(any(trainable) or (not trainable and not still))
    train = bench.training_images(stage.recipe)
    part = stage.recipe.batch_size // bench.engine.team.size
    if stage.recipe.epochs:
        say_if_too_large(stage.name, stage.net, bench.data.image_size, part, bench.engine.device)
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

    Of equal accuracies, which count in images, the mean is not kept. Where little was to be mended,
    the steps do harm of which the mean has half, and some of their good (Wortsman et al. 2022,
    Robust fine-tuning of zero-shot models).
    """
    kept = copy.deepcopy(stage.state_dict())
    after = torch.load(folder / BEST, map_location="cpu", weights_only=True)["state_dict"]
    mean = {
        name: (value + after[name]) / 2 if value.is_floating_point() else after[name]
        for name, value in before.items()
    }
    stage.load_state_dict(mean)
    accuracy = float(bench.test(stage.net, "validation")["accuracy"])
    best, images = best_of(history, stage.monitor, stage.mode), bench.data.size("validation")
    if round(accuracy * images) <= round(best[stage.monitor] * images):
        stage.load_state_dict(kept)
    return accuracy
