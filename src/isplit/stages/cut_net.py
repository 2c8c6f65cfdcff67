"""A trained net cut at any of its points, in numpy: what a device sends, what a server answers.

Legend: N images, S pixels a side, C channels, X positions of a map.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from isplit.data import ImageData
from isplit.data.folder import is_image
from isplit.graph import split_at
from isplit.importance.heatmaps import grad_cams
from isplit.point import SplitPoint

Floats = NDArray[np.float32]
FRAMES = 8  # of an image that moves
Side = Callable[[Floats], Floats]


@dataclass(frozen=True)
class CutNet:
    """A net with its split points and its images; channels come first wherever the net has them.

    Attributes:
        batch_size: images at once.
    """

    traced: fx.GraphModule
    points: Sequence[SplitPoint]
    data: ImageData
    batch_size: int
    device: torch.device

    def images(self, split: str, count: int | None) -> tuple[Floats, NDArray[np.int64]]:
        """Images (N, 3, S, S) as the net takes them, and labels; any beginning is class-balanced.

        Args:
            count: at most so many; ``None``: all.
        """
        batches = self.data.loader(split, self.batch_size, images=count or self.data.size(split))
        images, labels = (torch.cat(both).numpy() for both in zip(*batches, strict=True))
        return images, labels

    def sequences(self, folder: str | None, images: Floats) -> list[Floats]:
        """Frames as the net takes them: a folder's images by name, or images that move.

        These move around by a pixel a frame: what leaves on one side comes in on the other.

        Raises:
            ValueError: the folder has fewer than two images.
        """
        if folder is None:
            return [np.stack([np.roll(i, (t, t), (1, 2)) for t in range(FRAMES)]) for i in images]
        files = sorted(file for file in Path(folder).glob("*") if is_image(file.name))
        if len(files) < 2:
            raise ValueError(f"study.frames={folder} has {len(files)} images, two are a sequence")
        return [self.data.read(files).numpy()]

    def pixels(self, images: Floats) -> NDArray[np.uint8]:
        """The images as they were before they were made ready for the net."""
        return self.data.preparation.pixels(torch.from_numpy(images)).numpy()

    def sides(self, point: SplitPoint) -> tuple[Side, Side]:
        """Head and tail: images to features (N, C, ...), and those to a score for each class."""
        head, tail = split_at(self.traced, point)
        axis = 1 + point.channel_axis
        return (
            lambda images: self._through(head, torch.from_numpy(images)).movedim(axis, 1).numpy(),
            lambda values: self._through(tail, torch.from_numpy(values).movedim(1, axis)).numpy(),
        )

    def relevance(self, images: Floats) -> list[Floats]:
        """Grad-CAM's map (N, X) at every point, for the class that the net answers."""
        traced, maps = self.traced.to(self.device), []
        for batch in torch.split(torch.from_numpy(images).to(self.device), self.batch_size):
            labels = self._through(traced, batch).argmax(1).to(self.device)
            maps.append(grad_cams(traced, self.points, batch, labels))
        return [torch.cat(parts).numpy() for parts in zip(*maps, strict=True)]

    @torch.inference_mode()
    def _through(self, net: nn.Module, values: Tensor) -> Tensor:
        net, batches = net.eval().to(self.device), torch.split(values, self.batch_size)
        return torch.cat([net(batch.to(self.device)).cpu() for batch in batches])
