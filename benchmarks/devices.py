"""Head and tail times of a real net at its split points, measured here and predicted.

python benchmarks/devices.py --json PATH [--model resnet50] [--rounds 10]

The device is fitted to whole nets, measured in the same rounds as the heads and tails; the net that
is cut is not among them. Second, it is anchored to the time of that net uncut. One thread of
PyTorch; a time is CPU time of the thread, the least of the rounds, so that other jobs on the
machine disturb little.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isplit.devices import Device, Work, fit
from isplit.devices.fitting import Net
from isplit.devices.measure import NETS, build
from isplit.files import write_json
from isplit.graph import split_at, split_points, trace
from isplit.graph.measure import split_work, total_work

Jobs = dict[tuple[str, str], tuple[torch.nn.Module, torch.Tensor, Work]]


def main() -> None:
    """Measure, fit, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    load = [os.getloadavg()[0]]
    cut = Net(asked.model, 1.0, 224)
    jobs = _whole([n for n in NETS if n.model != cut.model]) | _whole([cut]) | _pieces(cut)
    seconds = _measured(jobs, asked.rounds)
    load.append(os.getloadavg()[0])
    own = (str(cut), "whole")
    others = [key for key in jobs if key[1] == "whole" and key != own]
    device = fit([jobs[k][2] for k in others], [seconds[k] for k in others], name="here")
    rows = _rows(jobs, seconds, device, device.anchored(jobs[own][2], seconds[own]))
    parts = {"head": ["head"], "tail": ["tail"], "both": ["head", "tail"]}
    for title, within in parts.items():
        for way in ("predicted", "anchored"):
            chosen = [row for row in rows if row["part"] in within]
            errors = [abs(row[f"{way}_ms"] / row["measured_ms"] - 1) for row in chosen]
            middle, worst = np.median(errors), max(errors)
            print(f"{title}, {way}: {len(errors)}, median {middle:.1%}, worst {worst:.1%}")
    print(f"load {load[0]:.1f} before, {load[1]:.1f} after")
    if asked.json:
        write_json(asked.json, {"model": asked.model, "load": load, "rows": rows})


def _whole(nets: list[Net]) -> Jobs:
    jobs: Jobs = {}
    for net in nets:
        model, image = build(net), torch.rand(1, 3, net.image_size, net.image_size)
        jobs[str(net), "whole"] = (model, image, total_work(trace(model, image)))
    return jobs


def _pieces(net: Net) -> Jobs:
    """Head and tail of each split point with what they are given."""
    model, image = build(net), torch.rand(1, 3, net.image_size, net.image_size)
    traced = trace(model, image)
    points = split_points(traced)
    jobs: Jobs = {}
    for point, works in zip(points, split_work(traced, points), strict=True):
        head, tail = (piece.eval() for piece in split_at(traced, point))
        with torch.inference_mode():
            features = head(image).clone()
        jobs[point.name, "head"] = (head, image, works[0])
        jobs[point.name, "tail"] = (tail, features, works[1])
    return jobs


@torch.inference_mode()
def _measured(jobs: Jobs, rounds: int) -> dict[tuple[str, str], float]:
    """Least CPU time of each job over rounds in which all have their turn."""
    best = dict.fromkeys(jobs, float("inf"))
    for number in range(rounds):
        for key, (piece, given, _) in jobs.items():
            piece(given)
            start = time.thread_time()
            piece(given)
            best[key] = min(best[key], time.thread_time() - start)
        print(f"round {number + 1} of {rounds}", flush=True)
    return best


def _rows(
    jobs: Jobs, seconds: dict[tuple[str, str], float], device: Device, anchored: Device
) -> list[dict[str, Any]]:
    rows = []
    for (name, part), (_, _, work) in jobs.items():
        times = (seconds[name, part], device.seconds(work), anchored.seconds(work))
        ways = ("measured_ms", "predicted_ms", "anchored_ms")
        row = {way: 1000 * taken for way, taken in zip(ways, times, strict=True)}
        rows.append({"name": name, "part": part} | row)
        print(f"{name:28} {part:5} " + " ".join(f"{ms:9.2f}" for ms in row.values()))
    return rows


if __name__ == "__main__":
    main()
