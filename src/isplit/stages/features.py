"""The bottleneck fitted to features of the frozen head, computed once where that can be."""

import logging
import math
import shutil
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from isplit.data.module import as_it_is
from isplit.model import SplitModel
from isplit.point import FLOAT32_BYTES, SplitPoint
from isplit.stages.epochs import History, best_of
from isplit.stages.fit import Batches, fit
from isplit.stages.modules import NMSE, Autoencoder
from isplit.stages.recipe import Recipe
from isplit.stages.workbench import Workbench

log = logging.getLogger(__name__)

DISK_MARGIN = 2**30  # bytes that a spill leaves free on the disk
SPLITS = 2  # of the data, whose features share the memory


def fit_bottleneck(
    bench: Workbench, split: SplitModel, point: SplitPoint, recipe: Recipe, folder: Path
) -> tuple[History, float]:
    """Train the bottleneck of ``split`` alone; also the NMSE of the epoch that it ends with."""
    stage = Autoencoder(split.bottleneck.train(), recipe, split.head, split.tail)
    train, validation = bench.training_images(recipe), bench.images("validation")
    if not bench.data.augmented:
        kept = partial(compute_features, bench, split.head, point.shape, folder)
        of_train = kept("train", bench.images("train", recipe.images), train)
        of_validation = kept("validation", validation, validation)
        if of_train is not None and of_validation is not None:
            stage = Autoencoder(split.bottleneck, recipe, None, split.tail)
            train, validation = of_train, of_validation
    history = fit(stage, train, validation, folder, bench.engine, bench.seed)
    return history, best_of(history, stage.monitor, stage.mode)[NMSE]


class Features(Dataset[tuple[Tensor, Tensor]]):
    """Features and labels of a split of the data, in its order.

    Answers to (epoch, index) pairs as the image sets do, so that the same sampler gives the same
    order.
    """

    def __init__(self, features: Tensor, labels: Tensor) -> None:
        self.features, self.labels = features, labels

    def __len__(self) -> int:
        return len(self.features)

    def __getitems__(self, keys: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """A whole batch at once."""
        index = torch.tensor([i for _, i in keys])
        return self.features[index], self.labels[index]


@torch.no_grad()
def compute_features(
    bench: Workbench,
    head: nn.Module,
    shape: tuple[int, ...],
    folder: Path,
    name: str,
    images: Batches,
    order: Batches,
) -> Batches | None:
    """Output of ``head`` for every image; None where it fits neither memory nor disk.

    Args:
        head: gives features of ``shape`` for an image.
        folder: the features go to a file there if they take more than their part of the memory.
        name: of that file.
        images: in the order of the data.
        order: the same images in batches as the features are to come in.
    """
    device, memory_bytes = bench.engine.device, bench.feature_memory_bytes // SPLITS
    spill = folder / f"{name}.{bench.engine.team.rank}.spill"
    count = len(images.dataset)  # type: ignore[arg-type]
    features = _allocate((count, *shape), spill, memory_bytes)
    if features is None:
        return None
    labels, begin = [], 0
    head = head.eval().to(device)
    for batch, label in images:
        features[begin : begin + len(batch)] = head(batch.to(device)).cpu()
        begin += len(batch)
        labels.append(label)
    return DataLoader(
        Features(features, torch.cat(labels)),
        batch_size=order.batch_size,
        sampler=order.sampler,
        drop_last=order.drop_last,
        collate_fn=as_it_is,
    )


def _allocate(shape: tuple[int, ...], spill: Path, memory_bytes: int) -> Tensor | None:
    """Room for a float32 tensor: in memory, else in a mapped file, else none."""
    numel = math.prod(shape)
    if numel * FLOAT32_BYTES <= memory_bytes:
        return torch.empty(shape)
    if numel * FLOAT32_BYTES + DISK_MARGIN > shutil.disk_usage(spill.parent).free:
        log.info("features are not kept: %.1f GB fit neither memory nor disk", numel * 4e-9)
        return None
    log.info("features go to disk: %.1f GB", numel * FLOAT32_BYTES / 1e9)
    return torch.from_file(str(spill), shared=True, size=numel).view(shape)
