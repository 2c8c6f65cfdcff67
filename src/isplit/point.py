"""A split point, how much is removed of its features, and the work of a net or of a part of one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from numbers import Real

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class SplitPoint:
    """A place in the forward graph where exactly one tensor crosses from head to tail.

    Attributes:
        index: position among the listed points of its model, from the input on.
        name: path of the module whose output crosses (``layer3.2``, ``features.16``).
        shape: of the features, without the batch dimension.
        node: the graph node whose value crosses.
        head_macs: multiply-accumulates of one image up to and including the point.
        tail_macs: multiply-accumulates of one image after it.
        head_params: parameters of the head.
        aliases: other names it answers to (``block3_pool``), the friendliest first.
        channels_last: whether the features are stored as (H, W, C) or (T, C), not as (C, H, W) or
            (C, T); ``None``: the graph does not tell.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    node: str
    head_macs: int
    tail_macs: int
    head_params: int
    aliases: tuple[str, ...] = ()
    channels_last: bool | None = False

    @property
    def channel_axis(self) -> int:
        """Dimension of ``shape`` that holds the channels.

        Raises:
            ValueError: the graph does not tell.
        """
        if self.channels_last is None:
            raise ValueError(
                f"which dimension of {self.shape} at {self.label} holds the channels cannot be "
                "told from the graph: say split.channels=first or split.channels=last"
            )
        return len(self.shape) - 1 if self.channels_last else 0

    @property
    def numel(self) -> int:
        """Elements of the features of one image."""
        return math.prod(self.shape)

    @property
    def feature_bytes(self) -> int:
        """Bytes of the features of one image as float32."""
        return self.numel * FLOAT32_BYTES

    @property
    def label(self) -> str:
        """The name for people: the papers' where there is one, else the module path."""
        return self.aliases[0] if self.aliases else self.name


RateOf = Callable[[SplitPoint], float]
"""The compression rate at each point; 0: there is no bottleneck."""


def check_rate(compression_rate: float) -> None:
    """Refuse with a ValueError a part to remove that is not between 0 and 1."""
    if not (isinstance(compression_rate, Real) and 0 < compression_rate < 1):
        raise ValueError(
            f"bottleneck.compression_rate={compression_rate!r} is not between 0 and 1 (exclusive): "
            "it is the part of the features that is removed, 0.9 keeps 10 %"
        )


def same_rate(compression_rate: float) -> RateOf:
    """The same part removed at every point."""
    check_rate(compression_rate)
    return lambda point: compression_rate


def same_code(elements: int) -> RateOf:
    """A code of as many elements at every point: the same bytes travel wherever the net is cut.

    Raises:
        ValueError: no elements; on use: the features at the point have no more than these.
    """
    if elements < 1:
        raise ValueError(f"bottleneck.code_elements={elements} must be at least 1")

    def rate_of(point: SplitPoint) -> float:
        if point.numel <= elements:
            raise ValueError(
                f"bottleneck.code_elements={elements} compresses nothing at {point.label}, whose "
                f"features have {point.numel} elements"
            )
        return 1 - elements / point.numel

    return rate_of


DEFAULT_RATE = same_rate(0.9)  # the papers'


@dataclass(frozen=True)
class Work:
    """What a net, a head or a tail has to do for one image.

    Attributes:
        dense_macs: multiply-accumulates, but for those of depthwise convolutions.
        depthwise_macs: multiply-accumulates of convolutions that see one channel at a time.
        layers: operations that multiply: convolutions, linear layers, matrix products.
        parameters: numbers learned.
    """

    dense_macs: int
    depthwise_macs: int = 0
    layers: int = 0
    parameters: int = 0

    @property
    def macs(self) -> int:
        """All multiply-accumulates."""
        return self.dense_macs + self.depthwise_macs

    def __add__(self, other: Work) -> Work:
        return Work(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Work)))
