"""Heat maps of single images at the split points, for people to look at.

Shape suffixes: P points, N images, C channels, H W pixels, X positions.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx
from torch.nn import functional as F

from isplit.importance.taps import by_channel, grid_of, tapped
from isplit.point import SplitPoint


def heat_maps(
    traced: fx.GraphModule, points: Sequence[SplitPoint], images: Tensor, labels: Tensor
) -> Tensor:
    """Grad-CAM's map of each image for its class at each point, 0..1, as large as the image.

    (P, N, H, W), on the host. I-SPLIT Eqs. 1 and 2 with the ReLU, each map stretched from its
    least to its largest value: what is lost so is how the maps compare, which is what the CUI is
    made of. A map of one value is zero everywhere.

    Args:
        traced: a model in eval mode or not; it is left as it was.
        points: of this model, see ``has_map``.
        images: (N, 3, H, W), as the model takes them.
        labels: class indices (N).

    Raises:
        ValueError: the features at a point are not a map.
    """
    for point in points:
        if not has_map(point):
            raise ValueError(
                f"no heat map at {point.label}: its features have shape {point.shape}, "
                "a map has three dimensions"
            )
    flat_PNX = grad_cams(traced, points, images, labels)
    maps_PNHW = [m.view(-1, *grid_of(p)) for m, p in zip(flat_PNX, points, strict=True)]
    return torch.stack([_stretched(map_NHW, images.shape[-2:]) for map_NHW in maps_PNHW])


def grad_cams(
    traced: fx.GraphModule, points: Sequence[SplitPoint], images: Tensor, labels: Tensor
) -> list[Tensor]:
    """Grad-CAM's map at each point, as it is: (N, X), on the host, of any shape of features."""
    maps_P: dict[int, Tensor] = {}

    def visit(position: int, features: Tensor, gradients: Tensor) -> None:
        values_NCX, slopes_NCX = (by_channel(t, points[position]) for t in (features, gradients))
        alpha_NC = slopes_NCX.mean(2, keepdim=True)  # Eq. 1
        maps_P[position] = F.relu((alpha_NC * values_NCX).sum(1)).cpu()  # Eq. 2

    with tapped(traced, points, visit) as model:
        torch.autograd.backward(model(images).gather(1, labels[:, None]).sum())
    return [maps_P[position] for position in range(len(points))]


def has_map(point: SplitPoint) -> bool:
    """Whether the features have rows and columns, so that a heat map can be drawn."""
    return len(point.shape) == 3


def overlays(images: NDArray[np.float32], maps: Tensor) -> NDArray[np.uint8]:
    """Each image under each of its heat maps, (P, N, H, W, 3), blue where cold and red where hot.

    Args:
        images: as people see them, (N, H, W, 3), 0..1.
        maps: (P, N, H, W), 0..1.
    """
    from pytorch_grad_cam.utils.image import show_cam_on_image  # takes seconds to import

    pictures = [
        [show_cam_on_image(*pair, use_rgb=True) for pair in zip(images, maps_NHW, strict=True)]
        for maps_NHW in maps.float().numpy()
    ]
    return np.asarray(pictures, dtype=np.uint8)


def _stretched(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps (N, H, W) upscaled linearly, then from 0 to 1 by each one's least and largest value."""
    flat_N = maps.amin((1, 2), keepdim=True) == maps.amax((1, 2), keepdim=True)
    large_NHW = F.interpolate(maps[:, None], tuple(size), mode="bilinear")[:, 0]
    least_N, largest_N = large_NHW.amin((1, 2), keepdim=True), large_NHW.amax((1, 2), keepdim=True)
    span_N = torch.where(flat_N, torch.inf, largest_N - least_N)  # upscaling a flat map rounds
    return (large_NHW - least_N) / span_N
