"""List the split points of a classifier of torchvision, with bytes and MACs on each side.

python -m isplit.graph resnet50 --granularity all
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from torch import Tensor, nn
from torchvision import models

from isplit.files import write_json
from isplit.graph.aliases import with_aliases
from isplit.graph.points import GRANULARITIES, split_points
from isplit.graph.tracing import trace
from isplit.point import SplitPoint

KILO = 1000
DEFAULT_PX = 224


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    console = Console()
    try:
        document = _list_points(given.model, given.granularity, given.image_size, console)
    except ValueError as error:
        parser.error(str(error))
    if given.json:
        write_json(given.json, document)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m isplit.graph", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("model", help="a classifier of torchvision")
    parser.add_argument("--granularity", choices=GRANULARITIES, default="layer")
    parser.add_argument("--image-size", type=int, default=DEFAULT_PX, help="pixels of a side")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write what is printed there")
    return parser


def _list_points(name: str, granularity: str, pixels: int, console: Console) -> dict[str, Any]:
    """Prints the points of one model; the same as a document."""
    points = with_aliases(name, split_points(trace(*torchvision_model(name, pixels)), granularity))
    console.print(_points_table(name, pixels, points))
    return {"model": name, "image_size": pixels, "points": [asdict(point) for point in points]}


def _points_table(name: str, pixels: int, points: Sequence[SplitPoint]) -> Table:
    columns = ("#", "name", "alias", "shape", "kB", "head MMACs", "tail MMACs")
    title = f"{name}: {len(points)} split points at {pixels} px"
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        justify: JustifyMethod = "left" if column in ("name", "alias") else "right"
        table.add_column(column, justify=justify, no_wrap=True)
    for point in points:
        shape = "x".join(map(str, point.shape))
        macs = (f"{count / KILO**2:,.1f}" for count in (point.head_macs, point.tail_macs))
        size = f"{point.feature_bytes / KILO:,.1f}"
        table.add_row(str(point.index), point.name, " ".join(point.aliases), shape, size, *macs)
    return table


def torchvision_model(name: str, pixels: int) -> tuple[nn.Module, Tensor]:
    """A classifier of torchvision with random weights, and one image it takes.

    Args:
        name: torchvision's.
        pixels: of a side.

    Raises:
        ValueError: torchvision has no such classifier; the closest names come first.
    """
    names = models.list_models(module=models)
    if name not in names:
        closest = get_close_matches(name, names, n=5, cutoff=0)
        rest = [other for other in names if other not in closest]
        raise ValueError(f"model {name!r} is none of torchvision's: {', '.join(closest + rest)}")
    settings: dict[str, Any] = {}
    if name.startswith("vit"):
        settings["image_size"] = pixels
    if name.startswith("maxvit"):
        settings["input_size"] = (pixels, pixels)
    if name in ("googlenet", "inception_v3"):
        settings["init_weights"] = False
    return models.get_model(name, weights=None, **settings), torch.randn(1, 3, pixels, pixels)


if __name__ == "__main__":
    sys.exit(main())
