"""Letters drawn as scenes: distorted, coloured, cluttered, blurred and noisy.

Legend: N images, S pixels a side.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isplit.data.fonts import LETTERS, Style, glyphs

_BATCH = 1000  # images drawn at once: the memory in use, not the result's quality
_LUMINANCE = torch.tensor([0.30, 0.59, 0.11]).view(3, 1, 1)


def render(
    num_images: int, styles: tuple[Style, ...], *, difficulty: float, image_size: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Images uint8 (N, 3, S, S) and labels int64 (N,), equally many of every letter.

    The same arguments give the same pixels; every distortion grows with ``difficulty`` (0..1).
    """
    dice = _Dice(torch.Generator().manual_seed(seed), difficulty)
    ink = glyphs(styles).flatten(0, 1).unsqueeze(1).float() / 255
    labels = torch.randperm(num_images, generator=dice.generator) % len(LETTERS)
    chosen = dice.below(len(styles), num_images) * len(LETTERS) + labels
    images = [_scene(ink, part, image_size, dice) for part in torch.split(chosen, _BATCH)]
    return torch.cat(images), labels


@dataclass(frozen=True)
class _Dice:
    """Every random choice of a rendering, from one generator."""

    generator: torch.Generator
    difficulty: float

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=self.generator)

    def around_zero(self, *shape: int) -> Tensor:
        return self.uniform(*shape, low=-1.0)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)

    def below(self, bound: int, count: int) -> Tensor:
        return torch.randint(bound, (count,), generator=self.generator)


def _scene(ink: Tensor, chosen: Tensor, size: int, dice: _Dice) -> Tensor:
    """The chosen glyphs as finished images: uint8 (N, 3, S, S)."""
    num_images = len(chosen)
    reach = 0.08 + 0.17 * dice.difficulty  # of half the image
    shift = reach * dice.around_zero(num_images, 2)
    letter = _warp(ink[chosen], shift, 1.0 - 0.4 * dice.difficulty, 1.05, size, dice)
    neighbour = _place_neighbour(ink[dice.below(len(ink), num_images)], size, dice)
    paper, colour = _colours(num_images, dice)
    images = _shade(paper, size, dice)
    images = _paint(images, 0.9 * neighbour, colour + 0.1 * dice.normal(num_images, 3, 1, 1))
    images = _paint(images, letter, colour)
    images = _paint(images, _bar(num_images, size, dice), dice.uniform(num_images, 3, 1, 1))
    images = _blur(images, dice)
    grain = 0.16 * dice.difficulty * dice.uniform(num_images, 1, 1, 1)  # of the range
    images = images + grain * dice.normal(*images.shape)
    return (images.clamp(0, 1) * 255).round().to(torch.uint8)


def _place_neighbour(ink: Tensor, size: int, dice: _Dice) -> Tensor:
    """Clutter: a part of another letter that looks in over one of the four borders."""
    num_images = len(ink)
    borders = 1.25 * torch.tensor([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]])
    shift = borders[dice.below(len(borders), num_images)]
    seen = dice.uniform(num_images, 1, 1, 1) < 0.7 * dice.difficulty
    return _warp(ink, shift, 0.9, 1.0, size, dice) * seen


def _warp(
    ink: Tensor, shift: Tensor, smallest: float, largest: float, size: int, dice: _Dice
) -> Tensor:
    """Glyphs under a random affine map each, sampled at twice the size and averaged down."""
    num_images, hard = len(ink), dice.difficulty
    turn = math.radians(25) * hard * dice.around_zero(num_images)
    shear = 0.35 * hard * dice.around_zero(num_images)
    scale = dice.uniform(num_images, low=smallest, high=largest)
    aspect = torch.exp(0.25 * hard * dice.around_zero(num_images))
    cos, sin = turn.cos(), turn.sin()
    row_x = torch.stack([cos, sin + shear], dim=1) / (scale * aspect)[:, None]
    row_y = torch.stack([-sin, cos], dim=1) / (scale / aspect)[:, None]
    back = torch.stack([row_x, row_y], dim=1)  # from image coordinates back to the glyph's
    affine = torch.cat([back, -back @ shift[:, :, None]], dim=2)
    grid = F.affine_grid(affine, [num_images, 1, 2 * size, 2 * size], align_corners=False)
    return F.avg_pool2d(F.grid_sample(ink, grid, align_corners=False), 2)


def _colours(num_images: int, dice: _Dice) -> tuple[Tensor, Tensor]:
    """Paper and ink, each (N, 3, 1, 1): any two hues, their contrast falls with the difficulty."""
    paper = 0.9 * dice.uniform(num_images, 3, 1, 1)
    ink = dice.uniform(num_images, 3, 1, 1)
    weakest = 0.60 - 0.35 * dice.difficulty
    contrast = dice.uniform(num_images, 1, 1, 1, low=weakest, high=weakest + 0.35)
    towards = torch.where(_luminance(paper) < 0.5, 1.0, -1.0)
    return paper, ink + _luminance(paper) - _luminance(ink) + towards * contrast


def _luminance(colour: Tensor) -> Tensor:
    return (colour * _LUMINANCE).sum(1, keepdim=True)


def _shade(paper: Tensor, size: int, dice: _Dice) -> Tensor:
    """Paper with slow blotches of colour over it: (N, 3, S, S)."""
    coarse = dice.normal(len(paper), 3, 5, 5)
    blotches = F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False)
    return paper + 0.12 * dice.difficulty * blotches


def _paint(images: Tensor, cover: Tensor, colour: Tensor) -> Tensor:
    """Colour laid over the images where ``cover`` (0..1) says so."""
    return images * (1 - cover) + cover * colour


def _bar(num_images: int, size: int, dice: _Dice) -> Tensor:
    """The cover of a straight bar across each image, up to 16 % of it thick: (N, 1, S, S)."""
    thickness = 0.16 * dice.difficulty * size * dice.uniform(num_images, 1, 1)
    angle = math.pi * dice.uniform(num_images, 1, 1)
    offset = 0.45 * size * dice.around_zero(num_images, 1, 1)
    axis = torch.arange(size) - (size - 1) / 2
    distance = (axis[:, None] * angle.cos() + axis[None, :] * angle.sin() - offset).abs()
    strongest = thickness.clamp(max=1)  # thinner than a pixel, it covers a part of one
    return (thickness / 2 - distance + 0.5).clamp(min=0).minimum(strongest).unsqueeze(1)


def _blur(images: Tensor, dice: _Dice) -> Tensor:
    """Each image mixed with a box-blurred copy of itself (3 pixels wide at 32 pixels)."""
    radius = max(1, round(images.shape[-1] / 32))
    padded = F.pad(images, (radius,) * 4, mode="replicate")
    blurred = F.avg_pool2d(padded, 2 * radius + 1, stride=1)
    return torch.lerp(images, blurred, dice.difficulty * dice.uniform(len(images), 1, 1, 1))
