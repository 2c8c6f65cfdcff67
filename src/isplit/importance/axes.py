"""The principal axes of rows. Shape suffixes: R rows, D elements, K axes."""

import torch
from torch import Tensor

EXACT_UP_TO = 512  # rows or elements: beyond, the axes are found by a randomised SVD
OVERSAMPLING, POWER_ITERATIONS = 8, 2  # Halko, Martinsson and Tropp (2011), section 4
SMALLEST_LENGTH = 1e-6  # of an axis against the longest: shorter ones are rounding noise


def principal_axes(rows: Tensor, count: int) -> Tensor:
    """The first principal axes (D, K), K at most what the rows span; always the same for them.

    Large problems by a randomised SVD: what it misses are axes of nearly the same weight. Rows
    that are all alike have no axes: they are zero.
    """
    spanned = min(rows.shape)
    count = min(count, spanned)
    if torch.equal(rows, rows[:1].expand_as(rows)):
        return rows.new_zeros(rows.shape[1], count)
    if spanned > EXACT_UP_TO:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            sketch = min(spanned, count + OVERSAMPLING)
            return torch.svd_lowrank(rows, q=sketch, niter=POWER_ITERATIONS)[2][:, :count]
    if rows.shape[0] >= rows.shape[1]:
        axes: Tensor = torch.linalg.eigh(rows.T @ rows).eigenvectors.flip(1)
        return axes[:, :count]
    weights, left = torch.linalg.eigh(rows @ rows.T)
    lengths: Tensor = weights.flip(0)[:count].clamp(min=0).sqrt()
    shortest = SMALLEST_LENGTH * float(lengths[0])
    axes = rows.T @ left.flip(1)[:, :count]
    return axes / lengths.clamp(min=shortest)
