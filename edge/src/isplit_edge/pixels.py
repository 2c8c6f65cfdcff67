"""Images as the head takes them: as they were made for training."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from isplit.deploy.manifest import Export
from isplit.files import is_hidden

FITS: Any = {"stretch": Image.Image.resize, "crop": ImageOps.fit, "pad": ImageOps.pad}


def images(folder: Path, export: Export) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Path and pixels of each image of a folder, in order, hidden files left out.

    Raises:
        ValueError: it is no folder, has no files, or one is no image.
    """
    inside = (path for path in folder.rglob("*") if path.is_file())
    paths = sorted(path for path in inside if not is_hidden(path.relative_to(folder)))
    if not paths:
        raise ValueError(f"--images {folder} is no folder with files")
    return ((str(path), read_image(path, export)) for path in paths)


def frames(camera: str) -> Iterator[NDArray[np.uint8]]:
    """RGB frames of a camera of this number, or of a file or address that OpenCV knows.

    Raises:
        ValueError: OpenCV is missing, or finds no camera or no frame.
    """
    try:
        import cv2
    except ImportError as error:
        raise ValueError("--camera needs OpenCV: pip install 'isplit-edge[camera]'") from error
    source = cv2.VideoCapture(int(camera) if camera.isdigit() else camera)
    source.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, where the camera allows it
    found, frame = source.read()
    if not found:
        raise ValueError(f"--camera {camera} has no frames")
    while found:
        yield np.ascontiguousarray(frame[..., ::-1])  # OpenCV has BGR
        found, frame = source.read()
    source.release()


def read_image(path: Path, export: Export) -> NDArray[np.uint8]:
    """The upright RGB pixels of a file, of the size that the net takes.

    Raises:
        ValueError: it is no image of 8 bits.
    """
    try:
        with Image.open(path) as file:
            file.draft("RGB", (2 * export.preprocessing["image_size"],) * 2)
            image = ImageOps.exif_transpose(file)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is no image: {error}") from error
    if image.mode[0] in "IF":
        raise ValueError(f"{path} has more than 8 bits: scale it to 8 bits as in training")
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, export.preprocessing["background"])
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return _resized(image.convert("RGB"), export)


def fitted(pixels: NDArray[Any], export: Export) -> NDArray[np.uint8]:
    """Pixels that the head may stretch; others are cropped or padded first.

    Raises:
        ValueError: they are not uint8 (H, W, 3).
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"pixels are uint8 (H, W, 3), not {pixels.dtype} {pixels.shape}")
    square = pixels.shape[0] == pixels.shape[1]
    if square or export.preprocessing["fit"] == "stretch":
        return pixels
    return _resized(Image.fromarray(pixels), export)


def _resized(image: Image.Image, export: Export) -> NDArray[np.uint8]:
    size = (export.preprocessing["image_size"],) * 2
    if image.size != size:
        image = FITS[export.preprocessing["fit"]](image, size, Image.Resampling.BILINEAR)
    return np.asarray(image)
