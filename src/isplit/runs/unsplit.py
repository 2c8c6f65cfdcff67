"""How well the unsplit net answers, said before anything is split."""

import hashlib
import logging
from collections import Counter
from typing import Any

from torch import fx, nn

from isplit import config
from isplit.evaluate import evaluate
from isplit.stages import Workbench

log = logging.getLogger(__name__)

LOOKED_AT = 1000  # validation images, for weights made elsewhere
BATCH = 50
NEAR_CHANCE = 0.2  # of the way from chance to all right


def weights_made_elsewhere(
    bench: Workbench, net: nn.Module, traced: fx.GraphModule, keys: dict[str, Any]
) -> tuple[dict[str, str], bool]:
    """What a fingerprint holds of weights that isplit's seed did not make, and whether they serve.

    They do where they are a file for these classes, or answer validation images well above chance.
    Near or below chance there is a warning with the usual causes, whoever trains them on.
    """
    elsewhere = config.brings_weights(keys, net)
    if not elsewhere and "net" not in keys:
        return {}, False
    digest = hashlib.sha256()
    for name, tensor in (net.state_dict() | traced.state_dict()).items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    if not elsewhere:  # of the user's own net parts may be: a new layer on a trained backbone
        return {"tensors": digest.hexdigest()}, False
    _say_normalisation(bench, net)
    above_chance = _above_chance(bench, traced)
    return {"tensors": digest.hexdigest()}, above_chance or keys["weights"] is not None


def _say_normalisation(bench: Workbench, net: nn.Module) -> None:
    """Warn where timm's metadata of the weights ask for other pixels than the data gives."""
    asked, ours = getattr(net, "pretrained_cfg", None) or {}, bench.data.preparation
    for name in ("mean", "std"):
        wanted, given = asked.get(name), getattr(ours, name)
        if wanted and tuple(wanted) != tuple(given):
            log.warning(
                "the weights were trained with another normalisation: data.%s=[%s], not [%s]",
                *(name, ",".join(map(str, wanted)), ",".join(map(str, given))),
            )


def _above_chance(bench: Workbench, net: nn.Module) -> bool:
    many = bench.data.size("validation") > LOOKED_AT
    images = LOOKED_AT if many else None  # these are balanced as far as each class has enough
    batches = bench.data.loader("validation", BATCH, images=images, seed=bench.seed)
    found = evaluate(net, batches, bench.data.num_classes, bench.engine.device)
    looked_at: Any = batches.dataset
    commonest = max(Counter(image.label for image in looked_at.labelled).values())
    chance = commonest / len(found.predictions)
    counts = (found.accuracy, len(found.predictions), chance)
    log.info("unsplit, as it comes: accuracy %.3f on %d validation images (chance %.3f)", *counts)
    if found.accuracy > chance + NEAR_CHANCE * (1 - chance):
        return True
    log.warning(
        "the weights answer near chance. Usual causes: pixels in another range or order "
        "(data.mean, data.std, BGR), classes in another order (data.classes), another stem or "
        "pooling (model.stem=cifar), weights of another task"
    )
    return False
