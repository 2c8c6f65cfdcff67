"""The bottleneck: an under-complete autoencoder put at the split point (I-SPLIT, section III-B).

Shapes: N images, C channels, H x W map, T tokens; h x w the map of the code.
"""

import math

from torch import Tensor, nn
from torchvision.ops import Permute

from isplit.point import SplitPoint, check_rate

STRIDED_LAYERS = 2  # two convolutions of stride 2 each way, as in the paper
SMALLEST_STRIDED_MAP = 2  # a map thinner than this is not halved any more


class Bottleneck(nn.Module):
    """Encoder and decoder around the code; the decoder gives back the shape of the features.

    ::

        features (N, *point.shape) -> encoder -> code (N, *code_shape) -> decoder -> features

    Attributes:
        code_shape: shape of the code of one image.
        achieved_rate: 1 - code elements / feature elements, as near to the rate asked for as
            whole channels allow.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        code_shape: tuple[int, ...],
        achieved_rate: float,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.code_shape = code_shape
        self.achieved_rate = achieved_rate

    def forward(self, features: Tensor) -> Tensor:
        """Features as the server will see them, same shape as ``features``."""
        reconstruction: Tensor = self.decoder(self.encoder(features))
        return reconstruction


def make_bottleneck(point: SplitPoint, compression_rate: float = 0.9) -> Bottleneck:
    """Bottleneck whose code keeps ``1 - compression_rate`` of the elements at ``point``.

    Maps get two stride-2 convolutions and two transposed ones (fewer where the map is smaller than
    4x4, 1x1 convolutions on 1x1 maps); sequences, volumes and vectors get linear layers over the
    channels.

    Raises:
        ValueError: a rate not between 0 and 1, or a point whose channels are not known.
    """
    axis = point.channel_axis
    shape = code_shape(point.shape, compression_rate, channels_last=axis > 0)
    achieved = 1 - math.prod(shape) / point.numel
    channels, *size = (point.shape[axis], *point.shape[:axis], *point.shape[axis + 1 :])
    if len(size) == 2:
        encoder, decoder = _convolutional(channels, shape[0], (size[0], size[1]))
        if axis:
            encoder = nn.Sequential(Permute([0, 3, 1, 2]), *encoder)
            decoder = nn.Sequential(*decoder, Permute([0, 2, 3, 1]))
    else:
        encoder, decoder = _linear(channels, shape[axis])
        if size and not axis:
            there = [*range(1, len(size) + 1)]  # positions, where the channels are last
            to_last = Permute([0, *(dimension + 1 for dimension in there), 1])
            to_first = Permute([0, len(size) + 1, *there])
            encoder = nn.Sequential(to_last, *encoder, to_first)
            decoder = nn.Sequential(to_last, *decoder, to_first)
    return Bottleneck(encoder, decoder, shape, achieved)


def bottleneck_at(point: SplitPoint, compression_rate: float) -> Bottleneck:
    """The bottleneck at a point; at rate 0 one that sends the features as they are."""
    if compression_rate:
        return make_bottleneck(point, compression_rate)
    return Bottleneck(nn.Identity(), nn.Identity(), point.shape, 0.0)


def sent_shape(point: SplitPoint, rate: float) -> tuple[int, ...]:
    """Shape of what is sent of one image: of the code, at rate 0 of the features."""
    return code_shape(point.shape, rate, channels_last=point.channels_last) if rate else point.shape


def code_shape(
    shape: tuple[int, ...], compression_rate: float, channels_last: bool | None = None
) -> tuple[int, ...]:
    """Shape of the code for features of ``shape``, within half a channel of the rate asked for.

    Without ``channels_last`` a map is taken for (C, H, W) and a sequence for (T, C).

    A code has at least one channel: for features of very few channels on a very small map this
    keeps more than was asked for, and the achieved rate says so.

    >>> code_shape((512, 4, 4), 0.9)
    (819, 1, 1)
    >>> code_shape((197, 768), 0.9)
    (197, 77)
    """
    check_rate(compression_rate)
    if len(shape) != 3:
        axis = 0 if channels_last is False else len(shape) - 1
        kept = max(1, round((1 - compression_rate) * shape[axis]))
        return (*shape[:axis], kept, *shape[axis + 1 :])
    channels, height, width = (shape[2], *shape[:2]) if channels_last else shape
    h, w = _map_sizes((height, width))[-1]
    return (max(1, round((1 - compression_rate) * channels * height * width / (h * w))), h, w)


def _map_sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """The map before and after each strided convolution; one entry where none fits.

    >>> _map_sizes((7, 7))
    [(7, 7), (4, 4), (2, 2)]
    >>> _map_sizes((2, 2))
    [(2, 2), (1, 1)]
    """
    sizes = [size]
    while len(sizes) <= STRIDED_LAYERS and min(sizes[-1]) >= SMALLEST_STRIDED_MAP:
        sizes.append((math.ceil(sizes[-1][0] / 2), math.ceil(sizes[-1][1] / 2)))
    return sizes


def _convolutional(
    channels: int, code_channels: int, size: tuple[int, int]
) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder and decoder of two convolutions each, between ``channels`` and ``code_channels``."""
    middle = round(math.sqrt(channels * code_channels))
    sizes = _map_sizes(size)
    strides = [2] * (len(sizes) - 1) + [1] * (STRIDED_LAYERS + 1 - len(sizes))
    sizes += [sizes[-1]] * (STRIDED_LAYERS + 1 - len(sizes))
    encoder = nn.Sequential(
        _down(channels, middle, strides[0]),
        nn.BatchNorm2d(middle),
        nn.ReLU(),
        _down(middle, code_channels, strides[1]),
    )
    decoder = nn.Sequential(
        _up(code_channels, middle, strides[1], sizes[1]),
        nn.BatchNorm2d(middle),
        nn.ReLU(),
        _up(middle, channels, strides[0], sizes[0]),
    )
    return encoder, decoder


def _down(channels_in: int, channels_out: int, stride: int) -> nn.Conv2d:
    if stride == 1:
        return nn.Conv2d(channels_in, channels_out, kernel_size=1)
    return nn.Conv2d(channels_in, channels_out, kernel_size=3, stride=2, padding=1)


def _up(channels_in: int, channels_out: int, stride: int, size: tuple[int, int]) -> nn.Module:
    """The way back of ``_down``; even sizes need the padding that the stride rounded away."""
    if stride == 1:
        return nn.Conv2d(channels_in, channels_out, kernel_size=1)
    padding = (1 - size[0] % 2, 1 - size[1] % 2)
    return nn.ConvTranspose2d(
        channels_in, channels_out, kernel_size=3, stride=2, padding=1, output_padding=padding
    )


def _linear(features: int, code: int) -> tuple[nn.Sequential, nn.Sequential]:
    middle = round(math.sqrt(features * code))
    encoder = nn.Sequential(nn.Linear(features, middle), nn.GELU(), nn.Linear(middle, code))
    decoder = nn.Sequential(nn.Linear(code, middle), nn.GELU(), nn.Linear(middle, features))
    return encoder, decoder
