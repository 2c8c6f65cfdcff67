"""Image files as people bring them, and those that attack."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from pictures import encoded, png
from PIL import Image

from isplit.data import decode as module
from isplit.data.decode import SEEN, Seen, decode, decode_and_see, range_of


def picture(side: int = 48) -> np.ndarray:
    """Corners and sides that no turning or mirroring leaves where they are."""
    y, x = np.mgrid[0:side, 0:side]
    corner = np.where((x < side // 3) & (y < side // 2), 255, 20)
    return np.stack([x * 255 // side, y * 255 // side, corner], -1).astype(np.uint8)


STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED_AS)
def test_an_image_is_upright_whatever_its_orientation_says(kind, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    stored = Image.fromarray(picture()).transpose(STORED_AS[orientation])
    file = io.BytesIO()
    stored.save(
        file, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {"quality": 95})
    )
    upright = decode(encoded(picture()), 16).int()
    turned, seen = decode_and_see(file.getvalue(), 16)
    assert (turned.int() - upright).abs().float().mean() < 4
    assert seen.turned == (kind != "TIFF")  # Pillow turns these while it reads them


def test_a_damaged_exif_block_leaves_the_image_as_it_is():
    file = io.BytesIO()
    Image.fromarray(picture()).save(file, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not decode_and_see(file.getvalue(), 16)[1].turned


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize(("background", "level"), [("white", 255), ("#404040", 64)])
def test_transparent_pixels_show_the_background(mode, background, level):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((200, 200, 200, 255), (0, 0, 8, 4))
    file = io.BytesIO()
    image.convert(mode).save(file, "PNG") if mode != "P" else image.quantize(4).save(file, "PNG")
    pixels, seen = decode_and_see(file.getvalue(), 8, "stretch", background)
    assert seen.transparent
    assert (pixels[:, 5:] == level).all()
    assert (pixels[:, :3] - 200 < 4).all()


def test_an_opaque_image_with_alpha_is_what_it_was():
    image = Image.fromarray(picture())
    file = io.BytesIO()
    image.convert("RGBA").save(file, "PNG")
    pixels, seen = decode_and_see(file.getvalue(), 48)
    assert seen == Seen()
    assert torch.equal(pixels, decode(encoded(picture()), 48))


RAMP = np.tile(np.linspace(0, 255, 16), (16, 1))


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        ((RAMP * 257).astype(np.uint16), "PNG"),
        ((RAMP * 16).astype(np.uint16), "PNG"),
        ((RAMP * 4).astype(np.uint16), "PNG"),
        ((RAMP * 64).astype(np.uint16), "TIFF"),
        (RAMP.astype(np.uint16), "PNG"),
        (RAMP.astype(np.int32), "TIFF"),
        ((RAMP / 255).astype(np.float32), "TIFF"),
        (RAMP.astype(np.float32), "TIFF"),
    ],
)
def test_grey_of_any_depth_uses_the_whole_range(array, kind):
    pixels, seen = decode_and_see(encoded(array, kind), 16)
    assert (pixels[0].numpy() - RAMP.astype(int) <= 1).all()
    assert pixels.min() == 0
    assert pixels.max() >= 254
    assert (seen.lowest, seen.highest) == (array.min(), array.max())


def test_black_and_white_that_are_given_count():
    scan = np.linspace(-1024, 3071, 256).reshape(16, 16).astype(np.float32)
    pixels = decode(encoded(scan, "TIFF"), 16, "stretch", "white", (-1024, 3071))
    assert (pixels.min(), pixels.max()) == (0, 255)
    mask = np.eye(16, dtype=np.uint16)
    assert decode(encoded(mask), 16, "stretch", "white", (0, 1)).max() == 255


def test_a_pgm_says_its_range_itself():
    values = (np.arange(256) * 2).astype(">u2")  # of 1023: half as bright as can be
    file = b"P5 16 16 1023\n" + values.tobytes()
    assert decode(file, 16).max() == 127
    assert not decode_and_see(file, 16)[1].deep


def rows(*values: tuple[float, float]) -> np.ndarray:
    """What was seen of images with these lowest and highest values."""
    fractions = [any(v != int(v) for v in pair) for pair in values]
    pairs = zip(fractions, values, strict=True)
    seen = [Seen(deep=True, fractions=of, lowest=low, highest=top) for of, (low, top) in pairs]
    return np.array(seen, SEEN)


def test_the_range_is_that_of_all_images():
    assert range_of(rows((0, 9), (3, 4000))) == (0, 4095)
    assert range_of(rows((0, 0.3))) == (0, 1)


@pytest.mark.parametrize(
    "values", [[(-5, 100)], [(0, 70_000)], [(0, 300.5)], [(0, 4000), (0, 0.5)]]
)
def test_a_range_that_is_not_known_is_asked_for(values):
    with pytest.raises(ValueError, match=r"data\.range: .* data\.range=\[low,high\]"):
        range_of(rows(*values))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "AVIF"])
def test_every_known_format_is_read(kind):
    assert decode(png(200, (20, 20), kind), 16).shape == (3, 16, 16)


def huge(width: int, height: int) -> bytes:
    """The head of a PNG that says it is so large."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 1000)
    chunks = [
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (head, data)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


HOSTILE = {
    "empty": b"",
    "text": b"no image at all",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage\n%%EOF\n",
    "half a PNG": png()[:60],
    "half a JPEG": png(3, (64, 64), "JPEG")[:300],
    "half a GIF": png(3, (64, 64), "GIF")[:40],
    "wrong sums": png()[:40] + b"\xff" * 8 + png()[48:],
    "no numbers": encoded(np.full((8, 8), np.nan, np.float32), "TIFF"),
    "10^5 x 10^5": huge(100_000, 100_000),
    "10^4 x 10^4": huge(10_000, 10_000),
    "no width": huge(0, 5),
    "an icon": png(kind="ICO"),
    "PDF": b"%PDF-1.4\n%%EOF",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_image_is_refused(name, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", None)  # Ghostscript is not started
    with pytest.raises(Exception) as caught:  # noqa: PT011 - decoders raise nearly anything
        decode(HOSTILE[name], 16)
    assert str(caught.value)
    assert not isinstance(caught.value, TypeError | MemoryError)


def test_another_format_is_named_as_such():
    with pytest.raises(ValueError, match="is none of JPEG, PPM, TIFF, PNG"):
        decode(HOSTILE["PostScript"], 16)


def test_the_largest_image_has_as_many_pixels_as_it_says(monkeypatch):
    monkeypatch.setattr(module, "MOST_PIXELS", 319)
    with pytest.raises(ValueError, match="20 x 16 pixels are more than 319"):
        decode(png(), 16)
