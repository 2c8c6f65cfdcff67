"""One image file as pixels: upright, RGB, square, of 8 bits.

Legend: S pixels a side.
"""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, TiffImageFile
from torch import Tensor

FORMATS_OF_ENDING = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".ppm", ".pgm"), "PPM"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **{".png": "PNG", ".bmp": "BMP", ".webp": "WEBP", ".gif": "GIF", ".avif": "AVIF"},
}
FORMATS = tuple(dict.fromkeys(FORMATS_OF_ENDING.values()))  # no other decoder is ever started
Fit = Callable[[Image.Image, tuple[int, int], Image.Resampling], Image.Image]
FITS: dict[str, Fit] = {
    "stretch": Image.Image.resize,
    "crop": ImageOps.fit,
    "pad": ImageOps.pad,
}
MOST_PIXELS = 1 << 26  # of one image: they are in memory at once
Range = tuple[float, float]
_BITS = (8, 10, 12, 14, 16)  # of cameras and scanners


class Seen(NamedTuple):
    """What a file needed on its way to 8-bit RGB.

    Attributes:
        turned: its EXIF data says that it lies on a side or is mirrored.
        transparent: it has pixels that are not opaque.
        deep: it has more than 8 bits and does not say how many.
        fractions: the values of such an image are no whole numbers.
        negative: its file says that 0 is white, which Pillow leaves to us above 8 bits.
        lowest, highest: of these values.
    """

    turned: bool = False
    transparent: bool = False
    deep: bool = False
    fractions: bool = False
    negative: bool = False
    lowest: float = 0
    highest: float = 0


SEEN = np.dtype([(name, float if name in ("lowest", "highest") else bool) for name in Seen._fields])
"""A row of ``Seen`` in an array."""


class How(NamedTuple):
    """How files become pixels.

    Attributes:
        size: S.
        fit: other shapes: ``stretch`` changes them, ``crop`` cuts the longer side, ``pad`` adds
            black.
        background: colour below transparent pixels.
        values: black and white of a grey image of more than 8 bits; ``None``: by its own values.
    """

    size: int
    fit: str = "stretch"
    background: str = "white"
    values: Range | None = None


def decode(content: bytes, *how: Any) -> Tensor:
    """The image in a file's bytes as uint8 RGB (3, S, S); the arguments are those of ``How``."""
    return decode_and_see(content, *how)[0]


def decode_and_see(content: bytes, *how: Any) -> tuple[Tensor, Seen]:
    """The image in a file's bytes as uint8 RGB (3, S, S), and what it needed.

    Raises:
        ValueError: too many pixels, or values whose range is not known.
        Exception: the file is damaged; Pillow raises nearly anything.
    """
    size, fit, background, values = How(*how)
    with _opened(content) as file:
        file.draft("RGB", (2 * size, 2 * size))  # large JPEGs decode at the scale that is needed
        if file.width * file.height > MOST_PIXELS:
            raise ValueError(f"{file.width} x {file.height} pixels are more than {MOST_PIXELS:,}")
        file.load()
        turned = _turn_upright(file)
        image, seen = _grey(file, values) if file.mode[0] in "IF" else _colour(file, background)
    if image.size != (size, size):
        image = FITS[fit](image, (size, size), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    return pixels, seen._replace(turned=turned)


def range_of(deep: np.ndarray) -> Range:
    """Black and white of images of more than 8 bits, by the values that all of them have.

    Whole numbers have 8, 10, 12, 14 or 16 bits, others go from 0 to 1 or to 255.

    Args:
        deep: rows of ``SEEN``.

    Raises:
        ValueError: negative or larger values, or images of both kinds that do not agree.
    """
    found = set()
    for fractions, tops in ((False, [2**bits - 1 for bits in _BITS]), (True, [1, 255])):
        values = deep[deep["fractions"] == fractions]
        if len(values):
            fitting = [top for top in tops if (values["highest"] <= top).all()]
            found.add(fitting[0] if fitting and (values["lowest"] >= 0).all() else None)
    top = found.pop()
    if found or top is None:
        raise ValueError(
            f"data.range: images of more than 8 bits hold values from {deep['lowest'].min():g} to"
            f" {deep['highest'].max():g}, which is no usual range; say what is black and what is"
            " white by data.range=[low,high]"
        )
    return 0, top


def _opened(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"is none of {', '.join(FORMATS)}") from None


def _turn_upright(file: Image.Image) -> bool:
    """Apply the EXIF orientation, if there is one that can be read."""
    try:
        turned = file.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)
    except Exception:  # damaged EXIF data beside good pixels
        return False
    if turned:
        ImageOps.exif_transpose(file, in_place=True)
    return turned


def _colour(file: Image.Image, background: str) -> tuple[Image.Image, Seen]:
    """RGB on the background where it is transparent; grey becomes three equal channels."""
    if not file.has_transparency_data:
        return file.convert("RGB"), Seen()
    image = file.convert("RGBA")
    if image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB"), Seen()
    ground = Image.new("RGB", image.size, background)
    ground.paste(image, mask=image.getchannel("A"))
    return ground, Seen(transparent=True)


def _grey(file: Image.Image, values: Range | None) -> tuple[Image.Image, Seen]:
    """RGB of grey values of more than 8 bits, the lowest of the range black."""
    array = np.asarray(file)
    whole = array.dtype.kind in "iu"
    if not np.isfinite(array).all():
        raise ValueError("has values that are no numbers")
    if file.format == "PPM" and whole:  # Pillow has scaled them by the range that the file says
        seen, (low, high) = Seen(), (0.0, 65535.0)
    else:
        ends = (float(array.min()), float(array.max()))
        tags = file.tag_v2 if isinstance(file, TiffImageFile) else {}
        negative = tags.get(PHOTOMETRIC_INTERPRETATION) == 0
        seen = Seen(False, False, True, not whole, negative, *ends)
        low, high = values or range_of(np.array([seen], SEEN))
    span, array = high - low, low + high - array if seen.negative else array
    steps = 256 / (span + 1) if whole and span >= 255 else 255 / span
    grey = np.clip((array - low) * steps, 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB"), seen
