"""Figures as they stand in the page itself: SVG as elements, pictures as data."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
READABLE, LARGEST = 0.95, 1.45  # pixels a point (1/72 inch) of the figure: the text's size
_KEY = re.compile(r"(point|class|predictor)-\d+")
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_REFERENCE = re.compile(r"url\(#|^#")

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def inlined_svg(path: Path, prefix: str, label: str) -> Markup:
    """An SVG file of ours as an element of a page, its ids begun with ``prefix``.

    What a pointer can find gets ``data-key``. Coordinates are cut to a hundredth of a point; the
    style sheet and the description of the file are left out, as the page has its own.

    Args:
        path: of a file that ``canvas.save`` wrote.
        prefix: unique in the page, so that no two figures share an id.
        label: what a screen reader says.
    """
    root = ElementTree.parse(path).getroot()
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
        if not (parent.text or "").strip():
            parent.text = None
        parent.tail = None
        _rename(parent, prefix)
    width = float(root.attrib.pop("width").removesuffix("pt"))
    del root.attrib["height"]
    root.set("style", f"min-width:{READABLE * width:.0f}px;max-width:{LARGEST * width:.0f}px")
    root.set("role", "group")
    root.set("aria-label", label)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def inlined_picture(path: Path, label: str) -> Markup:
    """A picture file as an element that carries its bytes."""
    data = base64.b64encode(path.read_bytes()).decode()
    kind = path.suffix.removeprefix(".")
    return Markup('<img alt="{}" src="data:image/{};base64,{}">').format(label, kind, data)


def _rename(element: ElementTree.Element, prefix: str) -> None:
    found = _KEY.match(element.get("id", ""))
    for name, value in element.attrib.items():
        value = _REFERENCE.sub(lambda match: match.group() + prefix, value)
        element.set(name, prefix + value if name == "id" else _LONG_NUMBER.sub(r"\1", value))
    if found:
        element.set("data-key", found.group())
