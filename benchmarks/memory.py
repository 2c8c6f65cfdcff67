"""Peak memory of one analysis, of few images and of many: it must not grow with their number.

    python benchmarks/memory.py                        # ResNet-50 at 224 px, probe and cui
    python benchmarks/memory.py --images 500 2000 --json memory.json

Each number of images has a process of its own; the images are made batch by batch, as a loader
decodes them. What is given is the largest resident size and that of the process before it began.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

KINDS = ("cui", "probe", "probe_overlap")


def main() -> None:
    """Measure every number of images, print the table, write it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--images", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.model, options.size, options.batch, options.one)))
        return
    own = ["--model", options.model, "--size", str(options.size), "--batch", str(options.batch)]
    rows = [_in_own_process([*own, "--one", str(images)]) for images in options.images]
    for row in rows:
        print(f"{row['images']:6.0f} images: {row['peak_gb']:.2f} GB, {row['start_gb']:.2f} before")
    print(f"largest over smallest: {rows[-1]['peak_gb'] / rows[0]['peak_gb']:.3f}")
    if options.json:
        options.json.write_text(json.dumps({"rows": rows}, indent=1))


def measured(model: str, size: int, batch: int, images: int) -> dict[str, float]:
    """Peak and initial resident size of the curves of ``KINDS``, in GB."""
    import torch
    from torchvision.models import get_model

    from isplit.graph import split_points, trace
    from isplit.importance import importance_curves

    class Made:
        """Batches that are made anew at each walk."""

        def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            draws = torch.Generator().manual_seed(0)
            for begin in range(0, images, batch):
                count = min(batch, images - begin)
                labels = torch.arange(begin, begin + count) % 10
                yield torch.randn(count, 3, size, size, generator=draws), labels

    torch.manual_seed(0)
    traced = trace(get_model(model, num_classes=10).eval(), torch.randn(2, 3, size, size))
    start = _resident_gb()
    points = split_points(traced)
    importance_curves(traced, points, Made(), [str(k) for k in range(10)], KINDS)
    return {"images": images, "peak_gb": _resident_gb(), "start_gb": start}


def _in_own_process(arguments: list[str]) -> dict[str, float]:
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return row


def _resident_gb() -> float:
    """Largest resident size so far; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
