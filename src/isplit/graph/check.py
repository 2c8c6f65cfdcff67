"""Does a graph answer as its net does? Tried on random images, bit for bit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, fx, nn

BATCH_SIZES = (1, 3)
LOUD = (10.0, 1e3, 1e5)
"""Of one image, so that what happens at large values only is seen too; as much as it needs."""
MOVED_BY = 0.1
SHOWN = 5


@torch.no_grad()
def refuse_difference(
    net: nn.Module, traced: fx.GraphModule, example: Tensor, in_place: Sequence[str]
) -> None:
    """Compare net and graph, both in eval mode, on two random batches.

    Weights of one value (zero heads, layer scales, new norms) are moved for the while: where a
    head is zero, everything answers alike. On the meta device there is nothing to compare.

    Args:
        in_place: operations that were replaced, named where the answers differ.

    Raises:
        ValueError: the answers differ, or do not depend on the image.
    """
    if example.is_meta or any(p.is_meta for p in net.parameters()):
        return
    name = type(net).__name__
    for loud in LOUD:
        with moved_constants(net):
            expected = [net(images.clone()) for images in _images(example, loud)]
            if odd := [type(y).__name__ for y in expected if not isinstance(y, Tensor)]:
                raise ValueError(f"{name} cannot be split: it answers with a {odd[0]}, no tensor")
            again = [net(images.clone()) for images in _images(example, loud)]
            found = [traced(images) for images in _images(example, loud)]
        if not all(map(_same, expected, again)):
            raise ValueError(
                f"{name} cannot be split: it answers the same images differently each time; "
                "leave out what is random in eval mode"
            )
        if not all(map(_same, expected, found)):
            raise ValueError(
                f"{name} cannot be split: {_difference(expected, found)}. The trace does not see "
                f"{_causes(net, in_place)}: write `y = f(x)` in place of it"
            )
        if not all(_same(answer, expected[-1][:1]) for answer in expected[-1].split(1)):
            return
    raise ValueError(
        f"{name} cannot be checked: it answers all random images alike, or not in numbers"
    )


@contextmanager
def moved_constants(net: nn.Module) -> Iterator[None]:
    """Random numbers added to every parameter that has one value throughout, for a while."""
    dice = torch.Generator().manual_seed(0)
    firsts = [(p, p.flatten()[0].clone()) for p in net.parameters() if p.numel()]
    constant = [(p, first) for p, first in firsts if (p == first).all()]
    try:
        for parameter, _ in constant:
            noise = MOVED_BY * torch.randn(parameter.shape, generator=dice)
            parameter.add_(noise.to(parameter))
        yield
    finally:
        for parameter, value in constant:
            parameter.copy_(value.expand_as(parameter))


def _images(example: Tensor, loud: float) -> Iterator[Tensor]:
    """The same random batches each time; the last image of one is loud."""
    dice = torch.Generator().manual_seed(0)
    for size in BATCH_SIZES:
        images = torch.randn(size, *example.shape[1:], generator=dice)
        images[1:][-1:] *= loud
        yield images.to(example)


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(((one == other) | (one.isnan() & other.isnan())).all())


def _difference(expected: Sequence[Tensor], found: Sequence[Tensor]) -> str:
    shapes = [(tuple(a.shape), tuple(b.shape)) for a, b in zip(expected, found, strict=True)]
    if different := [pair for pair in shapes if pair[0] != pair[1]]:
        return "it gives {} where its trace gives {}".format(*different[0])
    largest = max(float((a - b).abs().max()) for a, b in zip(expected, found, strict=True))
    size = max(float(a.abs().max()) for a in expected)
    return f"its trace answers otherwise, by up to {largest:.3g} of {size:.3g}"


def _causes(net: nn.Module, in_place: Sequence[str]) -> str:
    """What a trace is known not to see, as far as this net has it."""
    hooked = net._forward_hooks or net._forward_pre_hooks
    causes = [f"hooks on {type(net).__name__} itself (trace nn.Sequential(net))"] if hooked else []
    if in_place:
        causes.append(f"in-place changes of a view ({', '.join(in_place[:SHOWN])})")
    return ", ".join([*causes, "`autocast` or a changed tensor in a forward"])
