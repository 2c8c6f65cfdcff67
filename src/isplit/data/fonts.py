# ruff: noqa: RUF001 - the mathematical alphabets are meant to look like Latin letters
"""The 36 ways in which the embedded data set draws A-J, from fonts inside matplotlib's wheel.

The table is explicit because a font's own character map cannot be trusted: ``LastResortHE`` and
``cmex10`` claim to have A-J and draw something else. No font file is part of this project.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

LETTERS = "ABCDEFGHIJ"

# Mathematical alphabets have holes: C of the double-struck, B of the script lie in other blocks.
ALPHABETS = {
    "latin": LETTERS,
    "sans": "𝖠𝖡𝖢𝖣𝖤𝖥𝖦𝖧𝖨𝖩",
    "sans bold": "𝗔𝗕𝗖𝗗𝗘𝗙𝗚𝗛𝗜𝗝",
    "sans italic": "𝘈𝘉𝘊𝘋𝘌𝘍𝘎𝘏𝘐𝘑",
    "sans bold italic": "𝘼𝘽𝘾𝘿𝙀𝙁𝙂𝙃𝙄𝙅",
    "mono": "𝙰𝙱𝙲𝙳𝙴𝙵𝙶𝙷𝙸𝙹",
    "double-struck": "𝔸𝔹ℂ𝔻𝔼𝔽𝔾ℍ𝕀𝕁",
    "fraktur": "𝔄𝔅ℭ𝔇𝔈𝔉𝔊ℌℑ𝔍",
    "bold fraktur": "𝕬𝕭𝕮𝕯𝕰𝕱𝕲𝕳𝕴𝕵",
    "script": "𝒜ℬ𝒞𝒟ℰℱ𝒢ℋℐ𝒥",
    "bold script": "𝓐𝓑𝓒𝓓𝓔𝓕𝓖𝓗𝓘𝓙",
}


@dataclass(frozen=True)
class Style:
    """One way to draw the letters: a font file of matplotlib and the alphabet taken from it."""

    family: str
    font: str
    alphabet: str = "latin"


_DEJAVU = ("", "-Bold", "-Oblique", "-BoldOblique")
_FONTS_OF_FAMILY: dict[str, list[tuple[str, str]]] = {
    "DejaVu Sans": [(f"DejaVuSans{cut}", "latin") for cut in _DEJAVU],
    "DejaVu Sans Mono": [(f"DejaVuSansMono{cut}", "latin") for cut in _DEJAVU],
    "DejaVu Serif": [
        (f"DejaVuSerif{cut}", "latin") for cut in ("", "-Bold", "-Italic", "-BoldItalic")
    ],
    "STIX": [(f"STIXGeneral{cut}", "latin") for cut in ("", "Bol", "Italic", "BolIta")],
    "STIX Sans": [
        ("STIXGeneral", sans) for sans in ("sans", "sans bold", "sans italic", "sans bold italic")
    ],
    "STIX Mono": [("STIXGeneral", "mono")],
    "double-struck": [
        (font, "double-struck")
        for font in ("STIXGeneral", "DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif")
    ],
    "fraktur": [("STIXGeneral", "fraktur"), ("STIXGeneral", "bold fraktur")],
    "script": [("STIXGeneral", "script"), ("STIXGeneral", "bold script")],
    "calligraphic": [("cmsy10", "latin")],
    "Computer Modern": [(font, "latin") for font in ("cmr10", "cmb10", "cmti10", "cmmi10")],
    "Computer Modern Sans": [("cmss10", "latin")],
    "Computer Modern Typewriter": [("cmtt10", "latin")],
}
STYLES = tuple(Style(family, *font) for family, fonts in _FONTS_OF_FAMILY.items() for font in fonts)

# Whole families, so that no test letter is a bolder or slanted copy of a training letter.
HELD_OUT_FAMILIES = {"DejaVu Serif", "STIX Sans", "calligraphic"} | {
    f"Computer Modern {cut}" for cut in ("Sans", "Typewriter")
}
TRAIN_STYLES = tuple(style for style in STYLES if style.family not in HELD_OUT_FAMILIES)
TEST_STYLES = tuple(style for style in STYLES if style.family in HELD_OUT_FAMILIES)

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
