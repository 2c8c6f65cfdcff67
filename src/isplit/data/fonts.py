"""The 36 ways in which the embedded data set draws A-J, from fonts inside matplotlib's wheel.

No font file is part of this project; ``fonts.yaml`` says which are taken.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
import yaml
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor


@dataclass(frozen=True)
class Style:
    """One way to draw the letters: a font file of matplotlib and the alphabet taken from it."""

    family: str
    font: str
    alphabet: str


_TABLE = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
ALPHABETS: dict[str, str] = _TABLE["alphabets"]
LETTERS = ALPHABETS["latin"]
TRAIN_STYLES, TEST_STYLES = (
    tuple(
        Style(family, font, alphabet)
        for family, alphabets in _TABLE[split].items()
        for alphabet, fonts in alphabets.items()
        for font in fonts
    )
    for split in ("train", "test")
)

GLYPH_SIZE = 64  # pixels of the square that a glyph is kept in
GLYPH_MARGIN = 6  # pixels left free on each side of its longest side
_POINTS = 96  # drawn larger than kept, so that shrinking smooths the outline


def glyphs(styles: tuple[Style, ...]) -> Tensor:
    """White letters on black of every style, all equally large: uint8 (styles, letters, G, G)."""
    drawn = []
    for style in styles:
        path = Path(mpl.get_data_path(), "fonts", "ttf", f"{style.font}.ttf")
        font = ImageFont.truetype(path, _POINTS, layout_engine=ImageFont.Layout.BASIC)
        drawn.append([_glyph(font, letter) for letter in ALPHABETS[style.alphabet]])
    return torch.from_numpy(np.array(drawn))


def _glyph(font: ImageFont.FreeTypeFont, letter: str) -> np.ndarray:
    """One letter cut out, scaled until its longest side fills the square, and centred."""
    page = Image.new("L", (3 * _POINTS, 3 * _POINTS))
    ImageDraw.Draw(page).text((_POINTS, _POINTS // 2), letter, font=font, fill=255)
    cut = page.crop(page.getbbox())
    scale = (GLYPH_SIZE - 2 * GLYPH_MARGIN) / max(cut.size)
    width, height = (max(1, round(side * scale)) for side in cut.size)
    square = Image.new("L", (GLYPH_SIZE, GLYPH_SIZE))
    corner = ((GLYPH_SIZE - width) // 2, (GLYPH_SIZE - height) // 2)
    square.paste(cut.resize((width, height), Image.Resampling.BILINEAR), corner)
    return np.asarray(square)
