"""The linear codes of all points, fitted in one walk over images.

Shape suffixes: R rows, D elements of a block.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isplit.importance.linear_code import Blocks, LinearCode, OverlappingCode

JUDGED_TOGETHER = 128  # images whose statistics a BatchNorm takes at once
FEWEST_TOGETHER = 16
PIXELS_TOGETHER = JUDGED_TOGETHER * 128 * 128  # larger images: fewer of them at once
FITTED_ROWS = 4096  # about, for the code of one point
FITTED_ELEMENTS = 2**25  # of these rows together: 128 MiB a point

Code = LinearCode | OverlappingCode


def fitted(
    pieces: Sequence[nn.Module], blocks: Sequence[Blocks], images: Images, overlaps: Set[bool]
) -> dict[bool, list[Code]]:
    """The code of every point, overlapping or not, as asked.

    Raises:
        ValueError: features that are not finite.
    """
    spread, whole = _rows(pieces, blocks, images, True in overlaps)
    codes: dict[bool, list[Code]] = {False: [], True: []}
    for block in blocks:  # what a point kept is let go when its code is there
        plain = LinearCode.fit(spread.pop(0).filled, block.channels)
        codes[False].append(plain)
        if True in overlaps:
            codes[True].append(OverlappingCode.fit(plain, block, whole.pop(0).filled))
    return {overlap: codes[overlap] for overlap in overlaps}


def _rows(
    pieces: Sequence[nn.Module], blocks: Sequence[Blocks], images: Images, overlap: bool
) -> tuple[list[_Kept], list[_Kept]]:
    """Some rows of every point, spread evenly over the images; and, if asked, of whole images."""
    most = [min(FITTED_ROWS, FITTED_ELEMENTS // block.elements) for block in blocks]
    missing = [-(-most[k] // block.per_image) * overlap for k, block in enumerate(blocks)]
    spread = [_Kept(most[k], block, images) for k, block in enumerate(blocks)]
    whole = [_Kept(missing[k] * block.per_image, block, images) for k, block in enumerate(blocks)]
    begin = 0
    for chunk in images:
        end = begin + len(chunk)
        for k, features in enumerate(stations(pieces, chunk)):
            rows = blocks[k].rows(features)
            share = most[k] * end // len(images) - most[k] * begin // len(images)
            if wanted := most[k] * len(chunk) // len(images) or share:
                kept = min(wanted, len(rows))  # no fixed step: it may meet the same columns only
                spread[k].add(rows[torch.arange(kept, device=rows.device) * len(rows) // kept])
            whole[k].add(rows[: missing[k] * len(rows) // len(features)])
            missing[k] = max(0, missing[k] - len(features))
        begin = end
    return spread, whole


class _Kept:
    """Rows of one point in a tensor made once: many small ones would leave holes in the memory."""

    def __init__(self, most: int, block: Blocks, images: Images) -> None:
        most = min(most, len(images) * block.per_image)
        self._rows = images.like.new_empty(most, block.elements)
        self._count = 0
        self._label = block.point.label

    @property
    def filled(self) -> Tensor:
        rows = self._rows[: self._count]
        if not rows.isfinite().all():
            raise ValueError(
                f"the features at {self._label} are not finite: look for NaN or infinity in the "
                "weights and the images"
            )
        return rows

    def add(self, rows: Tensor) -> None:
        self._rows[self._count : self._count + len(rows)] = rows
        self._count += len(rows)


def stations(pieces: Sequence[nn.Module], images: Tensor) -> Iterator[Tensor]:
    """The features at every point, from the input on."""
    features = images
    for piece in pieces[:-1]:
        features = piece(features)
        yield features


@dataclass(frozen=True)
class Images:
    """Images ``begin`` to ``end`` of all batches, or all the others, read again at each walk.

    A walk gives parts of about equal size: a BatchNorm has nothing to estimate from one image.

    Attributes:
        like: a tensor of the device and type that the net works with.
        others_of: of so many images all but ``begin`` to ``end``.
    """

    batches: Iterable[tuple[Tensor, Tensor]]
    like: Tensor
    begin: int
    end: int
    others_of: int | None = None

    def __len__(self) -> int:
        inside = self.end - self.begin
        return inside if self.others_of is None else self.others_of - inside

    def __iter__(self) -> Iterator[Tensor]:
        kept, position, size = None, 0, 0
        for images, _ in self.batches:
            first, last = max(0, self.begin - position), max(0, self.end - position)
            inside = self.others_of is None
            own = images[first:last] if inside else torch.cat([images[:first], images[last:]])
            position += len(images)
            kept = own if kept is None else torch.cat([kept, own])
            size = size or self._together(images)
            while len(kept) >= size:
                yield kept[:size].to(self.like.device, self.like.dtype)
                kept = kept[size:]
            if inside and position >= self.end:
                break
        if kept is not None and len(kept):
            yield kept.to(self.like.device, self.like.dtype)

    def _together(self, images: Tensor) -> int:
        """Images in each part, so many that none is left alone at the end."""
        pixels = math.prod(images.shape[2:])
        most = min(JUDGED_TOGETHER, max(FEWEST_TOGETHER, PIXELS_TOGETHER // pixels))
        equal = -(-len(self) // -(-len(self) // most))
        return next(size for size in itertools.count(equal) if len(self) % size != 1)
