"""How long 200 designs take the study of latency on one core, with JSON of the seconds.

    python benchmarks/latency.py --json outputs/bench/latency.json

Each is a split of its own payload on one of the channels that need no further figure: 300 frames at
10 a second, and 40 as fast as they go. Seconds are the process's own; nothing is trained or read.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from isplit.devices import load_device
from isplit.network import load_channel
from isplit.point import Work
from isplit.presets import preset_names
from isplit.requirements import Design, Requirement
from isplit.studies.latency.designs import _timed
from isplit.studies.latency.places import Places
from isplit.studies.seen import Sent

DESIGNS, OPEN = 200, ("starlink", "nbiot")
OPTIONS = {"frames": 300, "rate_hz": 10.0, "send_W": None, "request_ms": 0, "request_bytes": 0}
OPTIONS |= {"overlap": True}  # the slower to simulate


def main() -> None:
    """Print the seconds of all designs, and of the slowest."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--loss", type=float, default=0.0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    names = [name for name in preset_names("channel") if name not in OPEN]
    channels = [load_channel(name, loss=asked.loss) for name in names]
    ends = load_device("pi4"), load_device("t4")
    head, tail = Work(100_000_000, 0, 8), Work(400_000_000, 0, 12)
    seconds = []
    for number in range(DESIGNS):
        places = Places(*ends, channels[number % len(channels)], Requirement(), OPTIONS)
        sent = Sent("float32", 0.9, 500.0 * (1 + number % 40))
        start_s = time.process_time()
        _timed(Design(f"design {number}", "SC"), head, tail, sent, places)
        seconds.append(time.process_time() - start_s)
    result = {
        "designs": DESIGNS,
        "loss": asked.loss,
        "seconds": sum(seconds),
        "slowest_s": max(seconds),
    }
    print(json.dumps(result, indent=1))
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
