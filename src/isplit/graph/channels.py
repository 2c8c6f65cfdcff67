"""Which dimensions of a tensor hold the channels, followed from operation to operation.

A convolution puts them in dimension 1, a linear layer in the last one. What moves data takes them
along; where an operation says nothing about them they are unknown.
"""

import math
from collections.abc import Iterable, Sequence

from torch import Tensor

PUT_FIRST = (
    *("conv", "pool", "batchnorm", "batch_norm", "groupnorm", "group_norm"),
    *("instancenorm", "instance_norm", "pixelshuffle", "pixel_shuffle", "pixel_unshuffle"),
)
PUT_LAST = ("linear", "embedding", "multiheadattention")
REGROUP = ("reshape", "view", "flatten", "unflatten")
KEEP_PLACES = (
    *("cat", "concat", "interpolate", "upsample", "repeat", "getitem", "index_select"),
    *("mean", "sum", "amax", "max", "amin", "min", "std", "var", "norm"),
)

Axes = frozenset[int]
"""Dimensions, the batch counted, that hold channels; none: not known."""
UNKNOWN: Axes = frozenset()


def channel_axes(name: str, result: Tensor, sources: Iterable[tuple[Tensor, Axes]]) -> Axes:
    """Dimensions of ``result`` that hold channels.

    Args:
        name: of the operation, in lower case.
        result: of the operation.
        sources: tensors it was made from, with theirs.
    """
    if any(word in name for word in PUT_FIRST):
        return frozenset({1})
    if any(word in name for word in PUT_LAST):
        return frozenset({result.dim() - 1})
    answers = {_followed(name, source, axes, result) for source, axes in sources}
    answers.discard(UNKNOWN)
    return answers.pop() if len(answers) == 1 else UNKNOWN


def layout_of(axes: Axes, dimensions: int) -> bool | None:
    """Whether channels are the last of several dimensions of an image's features, or the first.

    ``None``: neither, or not known. ``dimensions`` counts the batch.
    """
    if dimensions <= 2:  # a vector: its one dimension is the first and the last
        return False
    return {frozenset({1}): False, frozenset({dimensions - 1}): True}.get(axes)


def _followed(name: str, source: Tensor, axes: Axes, result: Tensor) -> Axes:
    """Where the channels of one source are in the result."""
    if name in REGROUP:
        return _regrouped(source.shape, axes, result.shape)
    if source.untyped_storage()._cdata == result.untyped_storage()._cdata:  # a view: strides tell
        if source.shape == result.shape and source.stride() == result.stride():
            return axes
        steps = {source.stride(i) for i in axes if source.size(i) > 1}
        places = enumerate(zip(result.shape, result.stride(), strict=True))
        return frozenset(i for i, (size, step) in places if size > 1 and step in steps)
    if source.dim() != result.dim():
        return UNKNOWN
    broadcast = all(a in (1, b) for a, b in zip(source.shape, result.shape, strict=True))
    return axes if broadcast or name in KEEP_PLACES or "pad" in name else UNKNOWN


def _regrouped(before: Sequence[int], axes: Axes, after: Sequence[int]) -> Axes:
    """The same elements in other dimensions; unknown where channels are mixed with others.

    >>> sorted(_regrouped((1, 8, 4, 4), frozenset({1}), (1, 2, 4, 16)))
    [1, 2]
    >>> _regrouped((1, 8, 4, 4), frozenset({1}), (1, 128))
    frozenset()
    """
    if math.prod(before) != math.prod(after):
        return UNKNOWN
    old, new = ([i for i, size in enumerate(s) if size != 1] for s in (before, after))
    found: set[int] = set()
    while old and new:
        left, right = [old.pop(0)], [new.pop(0)]
        while (a := _elements(before, left)) != (b := _elements(after, right)):
            (left, right)[a > b].append((old, new)[a > b].pop(0))
        if axes.issuperset(left):
            found.update(right)
        elif not axes.isdisjoint(left):
            return UNKNOWN
    return frozenset(found)


def _elements(shape: Sequence[int], axes: Iterable[int]) -> int:
    return math.prod(shape[axis] for axis in axes)
