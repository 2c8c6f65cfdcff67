"""List the split points of a model, or try them all on every model of torchvision or timm.

python -m isplit.graph resnet50 --granularity all    its points with bytes and MACs on each side
python -m isplit.graph --all --json PATH             every classifier of torchvision, bit for bit
python -m isplit.graph --timm --json PATH            the same for sixty models of timm
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich import box
from rich.console import Console, JustifyMethod
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from isplit.files import write_json
from isplit.graph.aliases import with_aliases
from isplit.graph.check import Verdict, check
from isplit.graph.points import GRANULARITIES, split_points
from isplit.graph.tracing import trace
from isplit.graph.zoo import timm_model, timm_names, torchvision_model, torchvision_names
from isplit.types import SplitPoint

KILO = 1000
DEFAULT_PX = 224


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    console = Console()
    try:
        if given.all:
            document = _try_all(torchvision_names(), torchvision_model, console)
        elif given.timm:
            document = _try_all(timm_names(), timm_model, console)
        elif given.model:
            document = _list_points(given.model, given.granularity, given.image_size, console)
        else:
            parser.error("name a model, or give --all or --timm")
    except ValueError as error:
        parser.error(str(error))
    if given.json:
        write_json(given.json, document)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m isplit.graph", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("model", nargs="?", help="a classifier of torchvision")
    parser.add_argument("--granularity", choices=GRANULARITIES, default="layer")
    parser.add_argument("--image-size", type=int, default=DEFAULT_PX, help="pixels of a side")
    parser.add_argument("--all", action="store_true", help="try all classifiers of torchvision")
    parser.add_argument("--timm", action="store_true", help="try sixty models of timm")
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


def _try_all(
    names: Sequence[str], build: Callable[[str], tuple[nn.Module, Tensor]], console: Console
) -> dict[str, Any]:
    """Tries every point of every model, one model in memory at a time; prints the table."""
    verdicts = []
    progress = Console(stderr=True)
    for name in track(names, "trying every split point", console=progress):
        torch.manual_seed(0)
        verdict = check(name, *build(name))
        answer = "bit-equal" if verdict.bitwise else verdict.reason
        progress.print(f"{name}: {verdict.points} points, {answer}", highlight=False)
        verdicts.append(verdict)
        gc.collect()
    console.print(_verdicts_table(verdicts))
    return {"models": [asdict(verdict) for verdict in verdicts]}


def _verdicts_table(verdicts: Sequence[Verdict]) -> Table:
    equal = [verdict for verdict in verdicts if verdict.bitwise]
    points = sum(verdict.points for verdict in equal)
    title = f"{len(equal)} of {len(verdicts)} models, {points} split points: bit-equal"
    table = Table("model", title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("layers", "points", "bit-equal", "seconds"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for v in verdicts:
        answer = "yes" if v.bitwise else "no"
        counts = (str(v.layers), str(v.points))
        table.add_row(v.name, *counts, answer, f"{v.seconds:.1f}", v.reason or "")
    return table


if __name__ == "__main__":
    sys.exit(main())
