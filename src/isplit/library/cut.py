"""A classifier cut at one point with a bottleneck there, trained from plain loaders."""

import copy
import signal
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from isplit import stages
from isplit.artifact import Manifest, save_split_model
from isplit.bottleneck import make_bottleneck
from isplit.graph import split_at, split_points
from isplit.library.batches import Batches, Loader, in_parameters
from isplit.library.ranking import RankedPoint, traced_for
from isplit.model import SplitModel
from isplit.presets import check_choice, in_python
from isplit.result import Accuracy

PROGRESS = ("auto", "bar", "lines", "none")


class Split(SplitModel):
    """Head and encoder for the device, decoder and tail for the server.

    Attributes:
        autoencoder: how the first stage trains: epochs, learning rate, loss ...; the usual way
            unless you set another ``Recipe``. The loaders decide batch size and images.
        finetune: the same of the second stage, a ``FineTuning``.
        fitted: whether it is trained; set it after a training of your own.
    """

    point: RankedPoint
    manifest: Manifest
    autoencoder = stages.Recipe(epochs=3, learning_rate=2e-3, weight_decay=0.0, loss="mse")
    finetune = stages.FineTuning(2, 2e-3, loss="both", net_learning_rate="auto")
    fitted = False

    @in_parameters()
    @torch.inference_mode(False)
    def fit(
        self, train_loader: Loader, val_loader: Loader, *, seed: int = 0, progress: str = "bar"
    ) -> Accuracy:
        """Train the bottleneck alone, then all end to end; accuracies before, between and after.

        The stages are train.py's, on a GPU where there is one. Of each the weights that are best
        on ``val_loader`` are kept and the accuracies are on it too, so they flatter a little.

        Args:
            train_loader: gives (images, class indices) anew at every epoch, shuffled. Both are
                walked once before, to check them.
            val_loader: the same, in any order.
            seed: of everything random.
            progress: ``bar``, ``lines`` (logged), ``auto`` (a bar on a terminal) or ``none``.

        Raises:
            ValueError: it is trained already, a value that a stage does not take, a loader gives no
                labelled images or can be read only once, a loss that is not finite.
        """
        from isplit.tracking import progress_callbacks  # brings W&B

        if self.fitted:
            raise ValueError("this split is trained: isplit.split(model, point) makes a new one")
        check_choice(progress, "progress", PROGRESS)
        steps, tuning = map(self._checked, ("autoencoder", "finetune"))
        classes, shape = len(self.manifest.class_names), self.point.image_shape
        engine = stages.Engine(callbacks=lambda stage: progress_callbacks(progress))
        device, handler = next(self.parameters()).device, signal.getsignal(signal.SIGINT)
        begun = copy.deepcopy(self.state_dict())
        with tempfile.TemporaryDirectory() as folder, stages.seeded(seed, "library"):
            train = Batches(train_loader, "train_loader", classes, shape, trains=True)
            test = Batches(val_loader, "val_loader", classes, shape)
            parts = {"train": train, "validation": test, "test": test}
            data = SimpleNamespace(
                loader=lambda split, *_, **__: parts[split], size=lambda split: parts[split].images
            )
            data.num_classes, data.image_size, data.fingerprint = classes, shape[-1], ""
            data.augmented = True  # taken for granted: features are computed in every epoch
            store = stages.Store(Path(folder), {})
            bench = stages.Workbench(data, store, engine, seed)  # type: ignore[arg-type]
            as_it_is = stages.Recipe(epochs=0, learning_rate=1.0, batch_size=1)
            tuning = replace(tuning, batch_size=train.largest)  # warned of where too large
            try:
                given = stages.baseline(bench, nn.Sequential(self.head, self.tail), {}, as_it_is)
                encoded = stages.autoencoder(bench, self, self.point, given, steps)
                tuned = stages.finetune(bench, self, encoded, tuning)
                self.fitted = True
            except SystemExit as stop:  # what Lightning makes of Ctrl-C, which it then ignores
                signal.signal(signal.SIGINT, handler)
                raise stop.__context__ or stop from None
            finally:
                if not self.fitted:
                    self.load_state_dict(begun)
                self.eval().to(device)
        before, between, after = map(stages.tested, (given, encoded, tuned))
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

    def _checked(self, stage: str) -> Any:
        """How a stage trains, in plain numbers that it takes."""
        from isplit.keys import refuse_misfits  # brings Hydra

        recipe = getattr(self, stage)
        plain = in_python(vars(recipe))
        refuse_misfits("stage", "default", {f"{stage}.{name}": v for name, v in plain.items()})
        return replace(recipe, **plain)


@in_parameters()
@torch.inference_mode(False)
def split(model: nn.Module, point: RankedPoint, rate: float = 0.9, *, seed: int = 0) -> Split:
    """A copy of the model cut at ``point``, with an untrained bottleneck between head and tail.

    Examples:
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
    traced, classes = traced_for(model, point.image_shape)
    if (point.node, point.shape) not in [(p.node, p.shape) for p in split_points(traced)]:
        raise ValueError(f"point={point.label} {point.shape} is not of this model: rank it first")
    head, tail = split_at(traced, point)
    with stages.seeded(seed, "bottleneck", point.node):
        bottleneck = make_bottleneck(point, rate).to(next(model.parameters()).device)
    names, shape = tuple(map(str, range(classes))), point.image_shape
    channels = "last" if point.channels_last else "first"
    of = {"net": type(model).__name__}
    manifest = Manifest(of, point.name, "layer", rate, names, shape[-1], channels=channels)
    made = Split(head, bottleneck, tail).eval()
    made.point, made.manifest = point, replace(manifest, image_shape=shape)
    return made
