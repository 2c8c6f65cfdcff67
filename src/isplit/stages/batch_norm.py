"""Batch normalisation over the images of all processes, on any device.

torch has one for GPUs alone (``SyncBatchNorm``); with this one a split of the batch among processes
changes nothing but the order of sums. Legend: N images, C channels.
"""

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

M = TypeVar("M", bound=nn.Module)


def with_shared_batch_norm(module: M) -> M:
    """A copy of ``module`` whose batch normalisations see the images of all processes.

    Parameters and buffers keep their names, so each takes the other's ``state_dict``.
    """
    shared = copy.deepcopy(module)
    for part in shared.modules():
        if isinstance(part, _BatchNorm):
            part.__class__ = SharedBatchNorm
    return shared


class SharedBatchNorm(_BatchNorm):
    """Normalises in training mode by mean and variance over all processes' images."""

    def forward(self, x: Tensor) -> Tensor:
        """Input and output (N, C, ...)."""
        if not self.training:
            return super().forward(x)
        others = [axis for axis in range(x.dim()) if axis != 1]
        values = x.to(torch.promote_types(x.dtype, torch.float32))  # sums of halves overflow
        own_count = values.new_tensor([x.numel() / x.shape[1]])
        totals = _over_all(torch.cat([values.sum(others), own_count]))
        count, mean_C = totals[-1], totals[:-1] / totals[-1]
        shape = [1, -1] + [1] * (x.dim() - 2)
        centred = values - mean_C.view(shape)
        variance_C = _over_all(centred.square().sum(others)) / count
        self._remember(mean_C, variance_C * count / (count - 1))
        y: Tensor = centred * (variance_C + self.eps).rsqrt().view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(x.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions will do."""

    @torch.no_grad()
    def _remember(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        """Move the running statistics as torch's batch normalisation does."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), rate)
        self.running_var.lerp_(unbiased_variance.to(self.running_var), rate)


class _OverAll(torch.autograd.Function):
    """The sum over all processes; so is its gradient, for each process's loss depends on it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.detach().clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        return total


def _over_all(values: Tensor) -> Tensor:
    total: Tensor = _OverAll.apply(values)
    return total
