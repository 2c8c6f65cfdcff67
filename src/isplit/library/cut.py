"""A classifier cut at one point with a bottleneck there, trained from plain loaders."""

from __future__ import annotations

import copy
import signal
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from torch import nn

from isplit import stages
from isplit.artifact import Manifest, save_split_model
from isplit.bottleneck import make_bottleneck
from isplit.data import ImageData
from isplit.graph import split_at, split_points
from isplit.library.batches import Batches, Loader
from isplit.library.ranking import RankedPoint, device_of, traced_for
from isplit.library.words import in_parameters
from isplit.model import SplitModel
from isplit.result import Accuracy
from isplit.stages import Engine, Recipe, Store, Workbench, seeded, tested

AUTOENCODER = Recipe(epochs=3, learning_rate=2e-3, weight_decay=0.0, loss="mse")
FINETUNE = Recipe(epochs=2, learning_rate=5e-4)


class Split(SplitModel):
    """Head and encoder for the device, decoder and tail for the server.

    Attributes:
        point: where the model is cut.
        fitted: whether it is trained; set it after a training of your own.
    """

    def __init__(self, parts: SplitModel, point: RankedPoint, manifest: Manifest) -> None:
        super().__init__(parts.head, parts.bottleneck, parts.tail)
        self.point, self.manifest, self.fitted = point, manifest, False

    @in_parameters()
    def fit(
        self,
        train_loader: Loader,
        val_loader: Loader,
        test_loader: Loader | None = None,
        *,
        autoencoder: Recipe = AUTOENCODER,
        finetune: Recipe = FINETUNE,
        seed: int = 0,
        progress: str = "bar",
    ) -> Accuracy:
        """Train the bottleneck alone, then all end to end; the accuracies before and after.

        The stages are train.py's, on a GPU where there is one. Of each the weights best on
        ``val_loader`` are kept, so that accuracies on it flatter: ``test_loader`` is for others.

        Args:
            train_loader: gives (images, class indices) anew at every epoch, shuffled. Like the
                others it is walked once before, to check it.
            val_loader: the same, in any order.
            test_loader: what the accuracies are of; without it they are of ``val_loader``.
            autoencoder: how the first stage trains; the loaders decide batch size and images.
            finetune: how the second stage trains.
            seed: of everything random.
            progress: ``bar``, ``lines`` (logged) or ``none``.

        Raises:
            ValueError: it is fitted already, a loader gives no labelled images or can be read only
                once, a loss that is not finite.
        """
        from isplit.tracking import progress_callbacks  # brings W&B

        if self.fitted:
            raise ValueError("this split is trained: isplit.split(model, point) makes a new one")
        classes = len(self.manifest.class_names)
        engine = Engine(callbacks=lambda stage: progress_callbacks(progress))
        device, handler = device_of(self), signal.getsignal(signal.SIGINT)
        with tempfile.TemporaryDirectory() as folder, seeded(seed, "library"):
            loaders = {
                "train": Batches(train_loader, "train_loader", classes, trains=True),
                "validation": Batches(val_loader, "val_loader", classes),
            }
            loaders["test"] = loaders["validation"]
            if test_loader is not None:
                loaders["test"] = Batches(test_loader, "test_loader", classes)
            data = SimpleNamespace(  # of ImageData what the stages ask for
                loader=lambda split, *settings, **more: loaders[split],
                num_classes=classes,
                image_size=self.manifest.image_size,
                augmented=True,  # taken for granted, so that features are computed in every epoch
                fingerprint="",
            )
            bench = Workbench(cast("ImageData", data), Store(Path(folder), {}), engine, seed)
            try:
                unsplit = nn.Sequential(self.head, self.tail)
                given = stages.baseline(bench, unsplit, {}, Recipe(epochs=0, learning_rate=1.0))
                self.fitted = True
                encoded = stages.autoencoder(bench, self, self.point, given, autoencoder)
                tuned = stages.finetune(bench, self, encoded, finetune)
            except SystemExit as stop:  # what Lightning makes of Ctrl-C, which it then ignores
                signal.signal(signal.SIGINT, handler)
                raise stop.__context__ or stop from None
            finally:
                self.eval().to(device)
        before, between, after = (tested(stage) for stage in (given, encoded, tuned))
        images = len(before.predictions)
        return Accuracy(before.accuracy, between.accuracy, after.accuracy, images)

    def save(self, folder: str | Path) -> None:
        """``split_model.safetensors`` and ``split_model.json``, as train.py leaves them.

        Raises:
            ValueError: it is not trained.
        """
        if not self.fitted:
            raise ValueError("nothing is trained yet: fit(train_loader, val_loader) comes first")
        save_split_model(self, self.manifest, Path(folder))


@in_parameters()
def split(model: nn.Module, point: RankedPoint, rate: float = 0.9, *, seed: int = 0) -> Split:
    """A copy of the model cut at ``point``, with an untrained bottleneck between head and tail.

    >>> import torch
    >>> from isplit.library import rank
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3), nn.ReLU(),
    ...                     nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)).eval()
    >>> x, y = torch.randn(8, 1, 12, 12), torch.arange(8) % 3
    >>> cut = split(net, rank(net, [(x, y)], "depth").points[1], rate=0.9)
    >>> torch.equal(cut.tail(cut.head(x)), net(x)), tuple(cut.encode(x).shape)
    (True, (8, 2, 2, 2))

    Args:
        model: the one that was ranked; it stays as it is.
        point: ``ranking.best`` or another of ``ranking.points``.
        rate: part of the features' elements that the code leaves out, between 0 and 1.
        seed: of the bottleneck's weights.

    Raises:
        ValueError: the point is not of a ranking of this model, or the rate is out of bounds.
    """
    if not isinstance(point, RankedPoint):
        raise ValueError(f"point={point!r:.40}: isplit.rank(model, loader) first, then its .best")
    traced, classes = traced_for(copy.deepcopy(model), point.image_shape)
    if (point.node, point.shape) not in [(p.node, p.shape) for p in split_points(traced)]:
        raise ValueError(f"point={point.label} {point.shape} is not of this model: rank it first")
    head, tail = split_at(traced, point)
    with seeded(seed, "bottleneck", point.node):
        bottleneck = make_bottleneck(point, rate).to(device_of(model))
    manifest = Manifest(
        model={"net": type(model).__name__},
        layer=point.name,
        granularity="layer",
        channels="last" if point.channels_last else "first",
        compression_rate=rate,
        class_names=tuple(map(str, range(classes))),
        image_size=point.image_shape[-1],
        image_shape=point.image_shape,
    )
    return Split(SplitModel(head, bottleneck, tail), point, manifest).eval()
