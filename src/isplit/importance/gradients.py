"""Predictors made of the features and the gradients of the answer: the CUI and what is like it.

Shape suffixes: N images, C channels, X positions (of a map or of a token sequence).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class FromGradients:
    """A predictor that needs one backward pass, shared: made of F (N, C, X) and alpha (N, C).

    Attributes:
        function: gives a score (N), or a map (N, X) that the settings of the CUI reduce.
        is_map: which of the two.
    """

    function: Callable[[Tensor, Tensor], Tensor]
    is_map: bool = False


def grad_cam(features: Tensor, alpha: Tensor) -> Tensor:
    """Sum over the channels of alpha * F (N, X): Grad-CAM's map before its ReLU, Eq. 2."""
    return torch.bmm(alpha[:, None].to(features.dtype), features)[:, 0]


def gradient_alone(features: Tensor, alpha: Tensor) -> Tensor:
    """Sum over the channels of alpha, the same everywhere (N, X): Eq. 2 without F, Fig. 4."""
    return alpha.sum(1, keepdim=True).to(features.dtype).expand(-1, features.shape[2])


def cosine(features: Tensor, alpha: Tensor) -> Tensor:
    """Cosine between alpha and F averaged over the positions: do they name the same channels?"""
    return F.cosine_similarity(features.mean(2).to(alpha.dtype), alpha, dim=1)
