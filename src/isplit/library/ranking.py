"""Every split point of a classifier, ranked by a predictor."""

import copy
import logging
from dataclasses import asdict, dataclass
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, fx, nn

from isplit.backbones.custom import obstacles
from isplit.graph import split_points, trace
from isplit.graph.nodes import operation
from isplit.importance import importance_curves, select
from isplit.importance.curve import Curve
from isplit.library.batches import Loader, first_images, in_parameters
from isplit.point import SplitPoint, same_rate
from isplit.studies.curve_figure import auto_and_highest, curve_figure

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RankedPoint(SplitPoint):
    """A split point with what the predictor says of it.

    Attributes:
        value: the higher, the better a split there is predicted to be.
        rank: place among all points, from 1.
        image_shape: of one image of the model.
    """

    value: float
    rank: int
    image_shape: tuple[int, ...]


@dataclass(frozen=True, repr=False)
class Ranking:
    """The split points of a model, from the input on; a table when printed.

    Attributes:
        curve: the same as the rest of isplit takes it.
    """

    curve: Curve
    points: tuple[RankedPoint, ...]

    @property
    def best(self) -> RankedPoint:
        """What ``split.layer=auto`` of train.py takes by this predictor."""
        return self.points[select(self.curve, "auto")[0].index]

    def to_frame(self) -> Any:
        """The points as a pandas DataFrame, a row each.

        Raises:
            ModuleNotFoundError: there is no pandas, which isplit needs for nothing else.
        """
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("to_frame() needs pandas: pip install pandas") from error
        return pandas.DataFrame(map(asdict, self.points))

    def plot(self) -> Figure:
        """The curve over the points, the best marked; ``.savefig("curve.png")`` keeps it."""
        return curve_figure(self.curve, [self.best.index], f"{self.curve.kind} of split points")

    def __repr__(self) -> str:
        lines = [f"rank {self.curve.kind:>12} {'bytes':>11} {'M before':>9} {'M after':>9}  point"]
        for p in self.points:
            work = f"{p.head_macs / 1e6:9,.1f} {p.tail_macs / 1e6:9,.1f}"
            lines.append(f"{p.rank:4} {p.value:12.4g} {p.feature_bytes:11,} {work}  {p.label}")
        best, highest = auto_and_highest(self.curve, self.best.index)
        note = "(of one image: bytes as float32, M: million multiply-accumulates)"
        return "\n".join([*lines, note, best.replace("auto", "best", 1), highest])


@in_parameters()
@torch.inference_mode(False)
def rank(
    model: nn.Module,
    loader: Loader,
    predictor: str = "probe",
    *,
    rate: float = 0.9,
    images: int | None = 512,
    channels: str | None = None,
) -> Ranking:
    """The split points of a trained classifier with what is predicted of a split at each.

    Examples:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3), nn.ReLU(),
        ...                     nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
        >>> batches = [(torch.randn(8, 1, 12, 12), torch.arange(8) % 3)]
        >>> rank(net, batches, predictor="size")
        rank         size       bytes  M before   M after  point
           3       -5.991       1,600       0.0       0.0  0
           2       -4.605         400       0.0       0.0  1
           1       -4.277         288       0.0       0.0  3
        (of one image: bytes as float32, M: million multiply-accumulates)
        best: 3 (highest value)
        highest value: 3

    Args:
        model: from images to logits (N, classes), in float32, traceable by torch.fx; left as it is.
        loader: gives (images, class indices): a DataLoader, a list, a generator; it is read once.
        predictor: ``probe`` (needs no labels), ``cui``, ``depth`` ... (docs/predictors.md).
        rate: part of the features that the bottleneck will leave out; ``probe`` depends on it.
        images: how many, the first of ``loader``, kept in memory; ``None``: all.
        channels: ``first`` or ``last``: where features keep them, if the graph does not tell.

    Raises:
        ValueError: a model that cannot be split, no labelled images, a wrong value.
    """
    batches = first_images(loader, images)
    shape = tuple(batches[0][0].shape[1:])
    traced, classes = traced_for(model, shape)
    points = split_points(traced, channels=channels)
    names, kinds = tuple(map(str, range(classes))), [predictor]
    (curve,) = importance_curves(
        traced, points, batches, names, kinds, rate_of=same_rate(rate)
    ).values()
    told = zip(points, curve.values, map(curve.rank, range(len(points))), strict=True)
    ranked = (RankedPoint(**vars(p), value=v, rank=r, image_shape=shape) for p, v, r in told)
    return Ranking(curve, tuple(ranked))


def traced_for(model: nn.Module, image_shape: tuple[int, ...]) -> tuple[fx.GraphModule, int]:
    """The graph of a copy of a model for images of this shape, and the number of its classes.

    Raises:
        ValueError: it cannot be split, has weights of another type, or gives no logits.
    """
    for reason in obstacles(model):
        raise ValueError(f"model={type(model).__name__}: {reason}")
    device = next(model.parameters(), torch.empty(0)).device
    traced = trace(_copy_of(model), torch.zeros(2, *image_shape, device=device))
    (answer,) = traced.graph.output_node().all_input_nodes
    shape = tuple(answer.meta["shape"])
    if len(shape) != 2 or shape[1] < 2:
        raise ValueError(f"model gives {shape} for one image, not (1, classes)")
    if operation(answer) == "softmax":
        log.warning("model ends with a softmax, where logits are expected: leave it out")
    return traced, int(shape[1])


def _copy_of(model: nn.Module) -> nn.Module:
    """So whatever its forward keeps, and what ``torch.compile`` put around it, stays in the model.

    Raises:
        ValueError: it holds what cannot be copied.
    """
    attributes = [v for m in model.modules() for v in (*vars(m).values(), *m._buffers.values())]
    tensors = {id(t): t.detach().clone() for t in attributes if isinstance(t, Tensor)}
    try:
        return copy.deepcopy(model, tensors)  # which refuses computed ones, as of weight_norm
    except Exception as error:  # of whatever a user's modules and hooks hold
        raise ValueError(f"model cannot be copied: {type(error).__name__}: {error}") from error
