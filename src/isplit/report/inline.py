"""Figures as they stand in the page itself: SVG as elements, pictures as data."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup
from PIL import Image

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
READABLE, LARGEST = 0.95, 1.45  # pixels a point (1/72 inch) of the figure: the text's size
MARK_RADIUS = "7.5"
WEBP_QUALITY = 80
NOT_FOR_PAGES = (f"{{{SVG}}}metadata", f"{{{SVG}}}style")  # the page has its own
_KEY = re.compile(r"(point|class|predictor)-\d+")
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_REFERENCE = re.compile(r"(?:^|url\()#([^)]+)")

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def inlined_svg(path: Path, prefix: str, label: str) -> Markup:
    """An SVG file of ours as an element of a page, its ids begun with ``prefix``.

    What a pointer can find becomes a circle with ``data-key``. To be small, coordinates are cut to
    a hundredth of a point and ids that nothing refers to are dropped.

    Args:
        path: of a file that ``canvas.save`` wrote.
        prefix: unique in the page, so that no two figures share an id.
        label: what a screen reader says.
    """
    root = ElementTree.parse(path).getroot()
    used = {name for e in root.iter() for v in e.attrib.values() for name in _REFERENCE.findall(v)}
    for element in root.iter():
        for child in [c for c in element if c.tag in NOT_FOR_PAGES]:
            element.remove(child)
        _make_mark(element)
        _shorten(element, used, prefix)
    width = float(root.attrib.pop("width").removesuffix("pt"))
    del root.attrib["height"]
    root.set("style", f"min-width:{READABLE * width:.0f}px;max-width:{LARGEST * width:.0f}px")
    root.set("role", "group")
    root.set("aria-label", label)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def inlined_picture(path: Path, label: str) -> Markup:
    """A picture file as an element that carries its pixels, as WebP: a fifth of the bytes."""
    file = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(file, "webp", quality=WEBP_QUALITY)
    data = base64.b64encode(file.getvalue()).decode()
    return Markup('<img alt="{}" src="data:image/webp;base64,{}">').format(label, data)


def _make_mark(element: ElementTree.Element) -> None:
    """The group that ``canvas.target`` left becomes a circle of its own."""
    found = _KEY.match(element.get("id", ""))
    at = element.find(f".//{{{SVG}}}use")
    if found and at is not None:
        place = {"cx": at.get("x", ""), "cy": at.get("y", ""), "r": MARK_RADIUS}
        element.clear()
        element.tag = f"{{{SVG}}}circle"
        element.attrib.update({"data-key": found.group(), **place})


def _shorten(element: ElementTree.Element, used: set[str], prefix: str) -> None:
    if not (element.text or "").strip():
        element.text = None
    element.tail = None
    if element.get("id") not in used:
        element.attrib.pop("id", None)
    for name, value in element.attrib.items():
        value = _LONG_NUMBER.sub(r"\1", value)
        value = _REFERENCE.sub(lambda match: match.group().replace("#", "#" + prefix), value)
        element.set(name, prefix + value if name == "id" else value)
