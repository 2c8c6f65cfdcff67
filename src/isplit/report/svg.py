"""Figures as they stand in files and in the page: SVG with titles, pictures as data."""

import base64
import io
import re
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup
from PIL import Image

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
MARK = "mark: "  # begins the id of what becomes a circle with a title
READABLE, LARGEST = 0.95, 1.45  # pixels a point (1/72 inch) of the figure: the text's size
MARK_RADIUS = "7.5"
WEBP_QUALITY, WEBP_PIXELS = 80, 16383  # of the format: most on a side
NOT_FOR_PAGES = (f"{{{SVG}}}metadata", f"{{{SVG}}}style")  # the page has its own
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_REFERENCE = re.compile(r"(?:^|url\()#([^)]+)")

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def titled(svg: bytes) -> bytes:
    """The SVG with a circle and its native title in the place of each mark."""
    root = ElementTree.fromstring(svg)
    root.set("pointer-events", "none")  # what lies over a mark does not hide it from a pointer
    for element in root.iter(f"{{{SVG}}}g"):
        says = element.get("id", "")
        at = element.find(f".//{{{SVG}}}use")
        if says.startswith(MARK) and at is not None:
            place = {"cx": at.get("x", ""), "cy": at.get("y", ""), "r": MARK_RADIUS}
            element.clear()
            element.tag = f"{{{SVG}}}circle"
            element.attrib |= place | {"class": "mark", "fill": "none", "pointer-events": "all"}
            ElementTree.SubElement(element, f"{{{SVG}}}title").text = says.removeprefix(MARK)
    return b"%s" % ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def inlined(path: Path, prefix: str, label: str) -> Markup:
    """A figure's file as an element of a page.

    Args:
        path: an SVG that ``canvas.save`` wrote, or a picture, which becomes WebP: a fifth of the
            bytes.
        prefix: unique in the page, so that no two figures share an id.
        label: what a screen reader says.
    """
    if path.suffix == ".svg":
        return _inlined_svg(path, prefix, label)
    file = io.BytesIO()
    with Image.open(path) as picture:
        colours = picture.convert("RGB")
    colours.thumbnail((WEBP_PIXELS, WEBP_PIXELS))  # if it is larger
    colours.save(file, "webp", quality=WEBP_QUALITY)
    data = base64.b64encode(file.getvalue()).decode()
    return Markup('<img alt="{}" src="data:image/webp;base64,{}">').format(label, data)


def _inlined_svg(path: Path, prefix: str, label: str) -> Markup:
    """To be small, with coordinates to a hundredth of a point and no ids that nothing needs."""
    root = ElementTree.parse(path).getroot()
    used = {name for e in root.iter() for v in e.attrib.values() for name in _REFERENCE.findall(v)}
    for element in root.iter():
        for child in [c for c in element if c.tag in NOT_FOR_PAGES]:
            element.remove(child)
        _shorten(element, used, prefix)
    width = float(root.attrib.pop("width").removesuffix("pt"))
    del root.attrib["height"]
    root.set("style", f"min-width:{READABLE * width:.0f}px;max-width:{LARGEST * width:.0f}px")
    root.set("role", "group")
    root.set("aria-label", label)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


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
