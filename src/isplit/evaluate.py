"""What a classifier answers on test images, and what its two sides cost."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_f1_score

from isplit.bottleneck import Bottleneck
from isplit.graph.flops import FLOPS_PER_MAC, flop_counter
from isplit.point import FLOAT32_BYTES, SplitPoint
from isplit.result import Cost


@dataclass(frozen=True)
class Evaluation:
    """What a classifier answers on a split of the data.

    Attributes:
        accuracy: part of the images answered correctly, 0..1.
        f1: F1 score of each class, 0..1.
        predictions: the answer for each image, as class indices in the order of the split.
    """

    accuracy: float
    f1: tuple[float, ...]
    predictions: tuple[int, ...]


@torch.no_grad()
def evaluate(
    net: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    num_classes: int,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Accuracy, F1 per class and every answer of ``net`` on labelled images, in evaluation mode.

    Raises:
        ValueError: an answer that is no number.
    """
    net = net.eval().to(device)
    answers = [(_classes(net(images.to(device))), labels) for images, labels in batches]
    net.cpu()
    predicted = torch.cat([p for p, _ in answers])
    labels = torch.cat([y for _, y in answers])
    f1 = multiclass_f1_score(predicted, labels, num_classes=num_classes, average="none")
    return Evaluation(
        accuracy=float((predicted == labels).double().mean()),
        f1=tuple(f1.tolist()),
        predictions=tuple(predicted.tolist()),
    )


def _classes(logits: Tensor) -> Tensor:
    if lost := int(logits.isnan().any(1).sum()):
        raise ValueError(f"the net answers {lost} of {len(logits)} images by NaN")
    return logits.argmax(1).cpu()


def cost(point: SplitPoint, bottleneck: Bottleneck) -> Cost:
    """Work on each side and bytes on the wire for one image split at ``point``."""
    code_elements = torch.Size(bottleneck.code_shape).numel()
    return Cost(
        head_macs=point.head_macs,
        tail_macs=point.tail_macs,
        encoder_macs=macs(bottleneck.encoder, point.shape),
        decoder_macs=macs(bottleneck.decoder, bottleneck.code_shape),
        head_params=point.head_params,
        feature_bytes=point.feature_bytes,
        payload_bytes=code_elements * FLOAT32_BYTES,
    )


def macs(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of a module on one input of ``shape``, counted without computing.

    >>> macs(nn.Conv2d(3, 8, kernel_size=3, padding=1), (3, 10, 10))
    21600
    """
    shadow = copy.deepcopy(module).to("meta").eval()
    with flop_counter() as counter:
        shadow(torch.empty(1, *shape, device="meta"))
    flops: int = counter.get_total_flops()
    return flops // FLOPS_PER_MAC
