"""Head and tail times of a real net at its split points, measured here and predicted.

python benchmarks/devices.py --json PATH [--model resnet50] [--rounds 10]

The device is fitted to whole nets that are measured in the same rounds, interleaved with the heads and tails; the net that is cut
is not among them. One thread of PyTorch; the time is CPU time of the thread, the least of the rounds, so that other jobs on the
machine disturb little; the load is reported.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch

from isplit.devices import fit
from isplit.devices.fitting import Net
from isplit.devices.measure import NETS
from isplit.devices.nets import build
from isplit.files import write_json
from isplit.graph import split_at, split_points, trace
from isplit.graph.work import split_work, total_work


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    load = [os.getloadavg()[0]]
    jobs = {}
    for net in NETS:
        if net.model != asked.model:
            model, image = build(net), torch.rand(1, 3, net.image_size, net.image_size)
            jobs[str(net), "whole"] = (model, image, total_work(trace(model, image)))
    model, image = build(Net(asked.model, 1.0, 224)), torch.rand(1, 3, 224, 224)
    traced = trace(model, image)
    points = split_points(traced)
    for point, works in zip(points, split_work(traced, points), strict=True):
        head, tail = (piece.eval() for piece in split_at(traced, point))
        with torch.inference_mode():
            features = head(image).clone()
        jobs[point.name, "head"] = (head, image, works[0])
        jobs[point.name, "tail"] = (tail, features, works[1])
    times = {key: [] for key in jobs}
    with torch.inference_mode():
        for number in range(asked.rounds):
            for key, (piece, given, _) in jobs.items():
                piece(given)
                start = time.thread_time()
                piece(given)
                times[key].append(time.thread_time() - start)
            print(f"round {number + 1} of {asked.rounds}", flush=True)
    load.append(os.getloadavg()[0])
    best = {key: min(taken) for key, taken in times.items()}
    whole = [key for key in jobs if key[1] == "whole"]
    device = fit([jobs[k][2] for k in whole], [best[k] for k in whole], name="here")
    rows = []
    for key in jobs:
        predicted, measured = device.seconds(jobs[key][2]), best[key]
        rows.append(
            {
                "name": key[0],
                "part": key[1],
                "measured_ms": 1e3 * measured,
                "predicted_ms": 1e3 * predicted,
            }
        )
        print(f"{key[0]:28} {key[1]:5} {1e3 * measured:9.2f} {1e3 * predicted:9.2f} ms")
    for part in ("whole", "head", "tail"):
        errors = [abs(r["predicted_ms"] / r["measured_ms"] - 1) for r in rows if r["part"] == part]
        print(
            f"{part}: {len(errors)}, median error {np.median(errors):.1%}, largest {max(errors):.1%}"
        )
    errors = [abs(r["predicted_ms"] / r["measured_ms"] - 1) for r in rows if r["part"] != "whole"]
    print(
        f"heads and tails: median error {np.median(errors):.1%}; load {load[0]:.1f} to {load[1]:.1f}"
    )
    if asked.json:
        write_json(asked.json, {"model": asked.model, "load": load, "rows": rows})


if __name__ == "__main__":
    main()
